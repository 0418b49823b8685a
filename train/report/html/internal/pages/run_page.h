#pragma once

#include <string>

#include <handrail/train/report/html/internal/record.h>

namespace handrail::train::html {

/// What a page of a run shows.
struct RunPage {
  const Record& record;
  const FitEnd& result;  // so far, while the run goes on
  bool is_over;          // whether the run has ended, so that `result` says how
  std::string written;   // the time, as text
};

/// The page of a run, whole: see docs/guides/report.md.
std::string run_page(const RunPage& run);

}  // namespace handrail::train::html
