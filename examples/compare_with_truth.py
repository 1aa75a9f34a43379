"""Print the demo's true and measured head circumference from the record of `stream`."""

import json
import statistics
import sys
from pathlib import Path

from fetalclip_edge.sources.demo import DemoSource

source = DemoSource()
source.open()
truth = source.truth(0)
records = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
values = [r["measurements"][0]["value_mm"] for r in records]
measured = [value for value in values if value is not None]
print(f"true HC     {truth:.1f} mm")
print(
    f"measured HC {statistics.median(measured):.1f} mm "
    f"(median of {len(measured)} frames, {len(values) - len(measured)} withheld)"
)
