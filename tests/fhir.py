"""FHIR R4's official JSON schema, vendored under tests/vendor/fhir."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft6Validator

SCHEMA = Path(__file__).parent / "vendor" / "fhir" / "fhir.schema.json.gz"


@cache
def _definitions() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(gzip.decompress(SCHEMA.read_bytes()))
    return schema["definitions"]  # type: ignore[no-any-return]


@cache
def _validator(kind: str) -> Draft6Validator:
    # The schema's own root tries all 148 kinds one after the other; this tries the one that is meant.
    return Draft6Validator({"$ref": f"#/definitions/{kind}", "definitions": _definitions()})


def errors(resource: dict[str, Any]) -> list[str]:
    """What the official schema says is wrong with a resource; in a bundle, with each of its entries too."""
    found = []
    entries = resource.get("entry", [])
    if resource["resourceType"] == "Bundle":
        resource = {**resource, "entry": [{**entry, "resource": None} for entry in entries]}
        for entry in resource["entry"]:
            del entry["resource"]
    for error in _validator(resource["resourceType"]).iter_errors(resource):
        found.append(f"{resource['resourceType']} {list(error.absolute_path)}: {error.message[:200]}")
    for entry in entries:
        found += errors(entry["resource"])
    return found
