"""Reads with Python what the sinks write: event files by the protobuf library with checksums of its own, the database by
sqlite3, JSON lines by json, the table by csv. usage: read_logs.py LOGGED_FILES DIR; status 77 without protobuf."""
import csv
import json
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import sys

try:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
except ImportError:
    print("this needs python3-protobuf")
    sys.exit(77)

program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
loss = float(subprocess.run([program, folder], check=True, capture_output=True, text=True).stdout)


def close(a, b):
    return abs(a - b) <= 1e-5 * max(abs(a), abs(b))


def check(condition, what):
    if not condition:
        sys.exit(f"read_logs: {what}")


# The parts of TensorBoard's event.proto and summary.proto that are written.
D = descriptor_pb2.FieldDescriptorProto
file = descriptor_pb2.FileDescriptorProto(name="event.proto", package="t", syntax="proto3")


def message(name, *fields):
    made = file.message_type.add(name=name)
    for number, field, kind, label, of in fields:
        made.field.add(name=field, number=number, type=kind, label=label, type_name=of or None)


one, many = D.LABEL_OPTIONAL, D.LABEL_REPEATED
message("Histo", (1, "min", D.TYPE_DOUBLE, one, ""), (2, "max", D.TYPE_DOUBLE, one, ""), (3, "num", D.TYPE_DOUBLE, one, ""),
        (4, "sum", D.TYPE_DOUBLE, one, ""), (5, "sum_squares", D.TYPE_DOUBLE, one, ""),
        (6, "limit", D.TYPE_DOUBLE, many, ""), (7, "bucket", D.TYPE_DOUBLE, many, ""))
message("Value", (1, "tag", D.TYPE_STRING, one, ""), (2, "simple_value", D.TYPE_FLOAT, one, ""),
        (5, "histo", D.TYPE_MESSAGE, one, ".t.Histo"))
message("Summary", (1, "value", D.TYPE_MESSAGE, many, ".t.Value"))
message("Event", (1, "wall_time", D.TYPE_DOUBLE, one, ""), (2, "step", D.TYPE_INT64, one, ""),
        (3, "file_version", D.TYPE_STRING, one, ""), (5, "summary", D.TYPE_MESSAGE, one, ".t.Summary"))
pool = descriptor_pool.DescriptorPool()
pool.Add(file)
kind = pool.FindMessageTypeByName("t.Event")
Event = message_factory.GetMessageClass(kind) if hasattr(message_factory, "GetMessageClass") else \
    message_factory.MessageFactory(pool).GetPrototype(kind)

table = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    table.append(byte)


def masked(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


files = list((folder / "tb").glob("events.out.tfevents.*"))
check(len(files) == 1, f"want one event file; got {files}")
data, at, events = files[0].read_bytes(), 0, []
while at < len(data):
    length, = struct.unpack_from("<Q", data, at)
    check(struct.unpack_from("<I", data, at + 8)[0] == masked(data[at:at + 8]), f"the checksum of the length at {at}")
    record = data[at + 12:at + 12 + length]
    check(struct.unpack_from("<I", data, at + 12 + length)[0] == masked(record), f"the checksum of the record at {at}")
    events.append(Event.FromString(record))
    at += 16 + length
check(events[0].file_version == "brain.Event:2", "the first event is the version")
scalars = {}
for event in events:
    for value in event.summary.value:
        if value.HasField("histo"):
            check(close(sum(value.histo.bucket), value.histo.num) and value.histo.num > 0, "the buckets hold all weights")
            check(len(value.histo.bucket) == len(value.histo.limit), "each bucket has a limit")
        scalars.setdefault(value.tag, []).append((event.step, value.simple_value))
for tag in ("train/loss", "lr", "grad_norm", "val/loss", "val/r2", "layers/0/update_ratio", "weights/0.weight",
            "gradients/0.bias"):
    check(tag in scalars, f"there is no {tag}; there are {sorted(scalars)}")
check(close(scalars["val/loss"][-1][1], loss), f"the last val/loss is {loss}; got {scalars['val/loss'][-1]}")
steps = [step for step, _ in scalars["train/loss"]]
check(steps == list(range(10, steps[-1] + 1, 10)) and len(steps) >= 8, f"train/loss every ten steps; got {steps}")

lines = [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]
check([lines[0]["event"], lines[-1]["event"]] == ["fit_start", "fit_end"], "the first and the last line")
evaluations = [line for line in lines if line["event"] == "evaluated"]
check(close(evaluations[-1]["evaluation"]["loss"], loss), "the last evaluation in the JSON lines")

rows = list(csv.DictReader((folder / "run.csv").open()))
check(close([float(row["val_loss"]) for row in rows if row["val_loss"]][-1], loss), "the last val_loss in the table")

with sqlite3.connect(folder / "aproject.db") as database:
    logged = [(step, json.loads(metrics)) for step, metrics in database.execute(
        "SELECT step, metrics FROM metrics WHERE run_name = ? ORDER BY id", ("first 'run'",))]
    config, = database.execute("SELECT config FROM configs").fetchone()
check(close([metrics["val/loss"] for _, metrics in logged if "val/loss" in metrics][-1], loss),
      "the last val/loss in trackio")
check([step for step, metrics in logged if "train/loss" in metrics] == steps, "trackio has the steps of the event file")
check(json.loads(config), "the run has a configuration")
print(f"{len(events)} events, {len(lines)} lines, {len(rows)} rows, {len(logged)} rows of trackio")
