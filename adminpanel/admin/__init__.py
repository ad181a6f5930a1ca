from adminpanel.admin import break_glass, releases, verification

__all__ = ["break_glass", "releases", "verification"]
