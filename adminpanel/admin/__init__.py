from adminpanel.admin import break_glass, verification

__all__ = ["break_glass", "verification"]
