#include <handrail/train/report/internal/sinks/event_file.h>

#include <bit>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/files/crc32c.h>

namespace handrail::train {
namespace {

template <class Number>
void append_little_endian(std::string& bytes, Number value) {
  for (std::size_t i = 0; i < sizeof(value); ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
}

// A checksum that is computed over bytes that contain checksums should differ from those: TFRecord turns it and adds a
// constant.
std::uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8; }

std::string packed(const std::vector<double>& values) {
  std::string bytes;
  for (const double value : values) append_little_endian(bytes, std::bit_cast<std::uint64_t>(value));
  return bytes;
}

ProtobufMessage event_at(double wall_time) {
  ProtobufMessage event;
  event.float64(1, wall_time);
  return event;
}

}  // namespace

void EventSummary::add(std::string_view tag, double value) {
  ProtobufMessage entry;
  entry.bytes(1, printable(tag, LineEnds::escape));
  entry.float32(2, static_cast<float>(value));
  summary_.message(1, entry);
}

void EventSummary::add(std::string_view tag, const Histogram& histogram) {
  ProtobufMessage counts;
  counts.float64(1, histogram.min);
  counts.float64(2, histogram.max);
  counts.float64(3, histogram.count);
  counts.float64(4, histogram.sum);
  counts.float64(5, histogram.sum_of_squares);
  counts.bytes(6, packed(histogram.limits));
  counts.bytes(7, packed(histogram.buckets));
  ProtobufMessage entry;
  entry.bytes(1, printable(tag, LineEnds::escape));
  entry.message(5, counts);
  summary_.message(1, entry);
}

std::string version_event(double wall_time) {
  ProtobufMessage event = event_at(wall_time);
  event.bytes(3, "brain.Event:2");
  return event.encoded();
}

std::string restart_event(double wall_time, std::int64_t step) {
  ProtobufMessage log;
  log.integer(1, 1);  // SessionLog.START
  ProtobufMessage event = event_at(wall_time);
  event.integer(2, step);
  event.message(7, log);
  return event.encoded();
}

std::string summary_event(double wall_time, std::int64_t step, const EventSummary& summary) {
  ProtobufMessage event = event_at(wall_time);
  event.integer(2, step);
  event.message(5, summary.message());
  return event.encoded();
}

std::string record_of(std::string_view event) {
  std::string record;
  append_little_endian(record, static_cast<std::uint64_t>(event.size()));
  append_little_endian(record, masked_crc32c(record));
  record += event;
  append_little_endian(record, masked_crc32c(event));
  return record;
}

}  // namespace handrail::train
