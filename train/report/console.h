#pragma once

#include <cstdio>
#include <memory>

#include <handrail/train/report/sink.h>

namespace handrail::train {

/// A sink that prints to a stream, which must outlive the sink.
/// On a terminal it draws a live line with a progress bar and the time left, at most ten times a second. The line fits
/// the width of the terminal (or $COLUMNS, or 80), also when the width changes. Elsewhere, and with TERM=dumb, it
/// prints a plain line every ten seconds within an epoch. Every epoch has a line; when epochs take less than a second,
/// about twenty of them have one. A warning is one headline. Notes are not printed:
/// FitResult::diagnosis_text() has them, and the other measurements.
std::shared_ptr<LogSink> console(std::FILE* stream = stdout);

}  // namespace handrail::train
