"""Fits a line through the points of a table; nothing but Python is needed."""

import csv
import json
import math
import sys

question = json.load(sys.stdin)
with open(question["table"], newline="") as table:
    points = [(float(row[question["x"]]), float(row[question["y"]])) for row in csv.DictReader(table)]
print(f"{len(points)} points", file=sys.stderr)  # goes to the log of the run

if len(points) < 2:
    print("a line takes two points at least", file=sys.stderr)
    sys.exit(3)

mean_x = math.fsum(x for x, _ in points) / len(points)
mean_y = math.fsum(y for _, y in points) / len(points)
spread = math.fsum((x - mean_x) ** 2 for x, _ in points)
slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread
intercept = mean_y - slope * mean_x

with open("residuals.csv", "w") as residuals:  # the folder is one of this call
    for x, y in points:
        residuals.write(f"{x},{y - intercept - slope * x}\n")

json.dump({"slope": slope, "intercept": intercept, "points": len(points)}, sys.stdout)
