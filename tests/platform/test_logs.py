"""Logs carry ids only."""

from dermaplatform.logs import redact


def test_private_values_are_taken_out() -> None:
    event = {
        "event": "signed in as alice@example.org",
        "email": "alice@example.org",
        "nested": {"name": "Alice", "probabilities": [0.5], "analysis": 7},
        "list": ["bob.keller+x@example.org wrote"],
        "user_id": 3,
    }
    cleaned = redact(None, "info", event)
    assert "example.org" not in str(cleaned)
    assert "Alice" not in str(cleaned)
    assert cleaned["user_id"] == 3
    assert cleaned["nested"]["analysis"] == 7
    assert cleaned["nested"]["probabilities"] == "[redacted]"
