#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <handrail/train/files/protobuf.h>
#include <handrail/train/report/internal/sinks/histogram.h>

namespace handrail::train {

// The messages of TensorBoard's event files: field numbers are those of event.proto and summary.proto of TensorBoard.
// wall_time: seconds since 1970.

/// The values of one event.
class EventSummary {
 public:
  void add(std::string_view tag, double value);
  void add(std::string_view tag, const Histogram& histogram);
  bool is_empty() const { return summary_.encoded().empty(); }
  const ProtobufMessage& message() const { return summary_; }

 private:
  ProtobufMessage summary_;
};

/// The first event of a file.
std::string version_event(double wall_time);
/// An event after which TensorBoard ignores the events of earlier files from that step on: those of a run that was
/// resumed at the step before it.
std::string restart_event(double wall_time, std::int64_t step);
std::string summary_event(double wall_time, std::int64_t step, const EventSummary& summary);

/// An event as a record of the file: its length, a checksum of the length, the event, a checksum of it. The checksums
/// are masked, as TFRecord files have them.
std::string record_of(std::string_view event);

}  // namespace handrail::train
