#pragma once

#include <filesystem>
#include <span>
#include <string>

namespace handrail::train {

/// A page of HTML that compares runs: a table of them, and a chart of each figure that is in the metrics.csv of one of
/// the directories, such as val_loss, with a line for each run. It is one file without scripts that loads nothing, as
/// report.html is. Of a run it has the first 64 figures. Lines of metrics.csv that cannot be
/// read or go back in steps are left out, and the page says how many. Throws DataError
/// naming the file when a metrics.csv cannot be read, and OptionError without directories or with more than 8.
std::string comparison_page(std::span<const std::filesystem::path> run_dirs);

}  // namespace handrail::train
