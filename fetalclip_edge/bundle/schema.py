"""The manifest's JSON Schema, published beside the code for readers in other languages.

``python -m fetalclip_edge.bundle.schema`` prints it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fetalclip_edge.bundle.manifest import Manifest

SCHEMA_PATH = Path(__file__).with_name("manifest.schema.json")


def schema_text() -> str:
    """Returns the JSON Schema of `Manifest`, indent 2, with a trailing newline."""
    return json.dumps(Manifest.model_json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
