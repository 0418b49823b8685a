#pragma once

#include <cstdio>
#include <memory>

#include <handrail/train/report/sink.h>

namespace handrail::train {

/// Reports to a stream that must outlive the sink. On a terminal, a live line with a progress bar and the time left is
/// redrawn at most ten times a second. It fits the width of the terminal (or $COLUMNS, or 80), also when that changes.
/// Elsewhere, and with TERM=dumb, there are plain lines: one every ten seconds within an epoch. An epoch has a line of
/// its own; when epochs take less than a second, about twenty of them do. A warning is one headline: the rest of what
/// was measured is in FitResult::diagnosis_text().
std::shared_ptr<LogSink> console(std::FILE* stream = stdout);

}  // namespace handrail::train
