"""The database's own guard over the access log: its rows are added, and neither changed nor deleted.

While a row stands in the gate's table, an update may empty what leads to a person, and nothing else. That
row is never committed, so the gate is open in one transaction only.
"""

from accounts.models import AccessEvent, AccessLogGate
from dermaplatform.guards import Guard

_LOG = AccessEvent._meta.db_table
_GATE = AccessLogGate._meta.db_table
_KEPT = ("id", "at", "actor_id", "patient_id", "opened")
_MAY_BE_EMPTIED = ("item", "relation_id", "break_glass_id", "address")
_REFUSAL = "The access log is only added to."


def _only_empties(same: str) -> str:
    """SQL that is true of an update which empties columns that may be; `same` compares, nulls included."""
    kept = [f"NEW.{column} {same} OLD.{column}" for column in _KEPT]
    emptied = [f"(NEW.{column} IS NULL OR NEW.{column} {same} OLD.{column})" for column in _MAY_BE_EMPTIED]
    return " AND ".join([f"EXISTS (SELECT 1 FROM {_GATE})", *kept, *emptied])  # noqa: S608


def _sqlite() -> dict[str, str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    # INSERT OR REPLACE deletes without asking the trigger for deletions.
    present = f"EXISTS (SELECT 1 FROM {_LOG} WHERE id = NEW.id)"  # noqa: S608
    return {
        "access_log_no_change": f"BEFORE UPDATE ON {_LOG} WHEN NOT ({_only_empties('IS')}) {refuse}",
        "access_log_no_delete": f"BEFORE DELETE ON {_LOG} {refuse}",
        "access_log_no_replace": f"BEFORE INSERT ON {_LOG} WHEN {present} {refuse}",
    }


def _postgresql() -> dict[str, tuple[str, str]]:
    """By name: what the function does, and when its trigger calls it."""
    refuse = f"RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'integrity_constraint_violation';"
    only_empties = _only_empties("IS NOT DISTINCT FROM")
    return {
        "access_log_no_change": (
            f"IF {only_empties} THEN RETURN NEW; END IF; {refuse}",
            f"TRIGGER access_log_no_change BEFORE UPDATE ON {_LOG} FOR EACH ROW",
        ),
        "access_log_no_delete": (
            refuse,
            f"TRIGGER access_log_no_delete BEFORE DELETE ON {_LOG} FOR EACH ROW",
        ),
        # Emptying an empty table takes nothing away.
        "access_log_no_truncate": (
            f"IF EXISTS (SELECT 1 FROM {_LOG}) THEN {refuse} END IF; RETURN NULL;",  # noqa: S608
            f"TRIGGER access_log_no_truncate BEFORE TRUNCATE ON {_LOG} FOR EACH STATEMENT",
        ),
        # A gate that was left open cannot be committed.
        "access_log_gate_shuts": (
            f"IF EXISTS (SELECT 1 FROM {_GATE} WHERE id = NEW.id) THEN {refuse} END IF; RETURN NULL;",  # noqa: S608
            f"CONSTRAINT TRIGGER access_log_gate_shuts AFTER INSERT ON {_GATE} "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
        ),
    }


_GUARD = Guard(frozenset({_LOG, _GATE}), _sqlite(), _postgresql())
install, remove, after_migrate = _GUARD.install, _GUARD.remove, _GUARD.after_migrate
