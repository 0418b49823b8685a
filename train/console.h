#pragma once

#include <cstdio>
#include <memory>

#include <handrail/train/events.h>

namespace handrail::train {

/// Reports to a stream that must outlive the sink: a progress bar with rate and remaining time on a
/// terminal; plain lines elsewhere, with one every ten seconds within an epoch. Epochs get a line each,
/// or about twenty of them when they take less than a second.
std::shared_ptr<LogSink> console(std::FILE* stream = stdout);

}  // namespace handrail::train
