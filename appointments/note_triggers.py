"""The database's own guard over signed notes: they are neither changed nor deleted.

While a row stands in the gate's table a signed note may be deleted, and nothing else. That row is never
committed, so the gate is open in one transaction only.
"""

from appointments.models import NoteGate, VisitNote
from dermaplatform.guards import Guard

_NOTES = VisitNote._meta.db_table
_GATE = NoteGate._meta.db_table
_REFUSAL = "A signed note is not changed."
_SHUT = f"NOT EXISTS (SELECT 1 FROM {_GATE})"  # noqa: S608  (a name of ours)


def _sqlite() -> dict[str, str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    # INSERT OR REPLACE deletes without asking the trigger for deletions.
    signed = f"EXISTS (SELECT 1 FROM {_NOTES} WHERE id = NEW.id AND signed_at IS NOT NULL)"  # noqa: S608
    return {
        "signed_note_no_change": f"BEFORE UPDATE ON {_NOTES} WHEN OLD.signed_at IS NOT NULL {refuse}",
        "signed_note_no_delete": (
            f"BEFORE DELETE ON {_NOTES} WHEN OLD.signed_at IS NOT NULL AND {_SHUT} {refuse}"
        ),
        "signed_note_no_replace": f"BEFORE INSERT ON {_NOTES} WHEN {signed} {refuse}",
    }


def _postgresql() -> dict[str, tuple[str, str]]:
    """By name: what the function does, and when its trigger calls it."""
    refuse = f"RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';"
    return {
        "signed_note_no_change": (
            f"IF OLD.signed_at IS NULL THEN RETURN NEW; END IF; {refuse}",
            f"TRIGGER signed_note_no_change BEFORE UPDATE ON {_NOTES} FOR EACH ROW",
        ),
        "signed_note_no_delete": (
            f"IF OLD.signed_at IS NULL OR NOT ({_SHUT}) THEN RETURN OLD; END IF; {refuse}",
            f"TRIGGER signed_note_no_delete BEFORE DELETE ON {_NOTES} FOR EACH ROW",
        ),
        # A gate that was left open cannot be committed.
        "signed_note_gate_shuts": (
            f"IF EXISTS (SELECT 1 FROM {_GATE} WHERE id = NEW.id) THEN {refuse} END IF; RETURN NULL;",  # noqa: S608
            f"CONSTRAINT TRIGGER signed_note_gate_shuts AFTER INSERT ON {_GATE} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
        ),
    }


_GUARD = Guard(frozenset({_NOTES, _GATE}), _sqlite(), _postgresql())
install, remove, after_migrate = _GUARD.install, _GUARD.remove, _GUARD.after_migrate
