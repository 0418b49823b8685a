#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/train/checks/internal/data_table.h>
#include <handrail/train/report/events.h>

namespace handrail::train {

/// "column 3 of the inputs"; targets come behind the inputs.
std::string place_of(const DataTable& table, std::size_t column);

/// Reports "mixed_units" when one of the first `end` columns is the same quantity in two units. The logarithms of its
/// absolute values fall into two clusters (Otsu 1979), each with 2 % of the rows, 10 rows and 10 different values at
/// least, and all of these hold:
///   distance of the clusters     above 3.5 standard deviations of each
///   values in the gap            at most 25 % of the smaller cluster in the middle third of the gap
///   shape                        the standard deviations of the logarithms are within a factor of 1.5
///   ratio of their medians       that of two common units, such as 1,000 or 2.54, within 2.5 standard errors
///   other columns and targets    none has a correlation above 0.5 with the cluster, unless it is larger by the same
///                                ratio (within a factor of 1.5) in these rows
/// Or two columns at least fall into two clusters, 3 standard deviations apart, in the same rows (85 %), and the higher
/// one, converted from Fahrenheit or kelvins to Celsius, has the mean (0.2 standard deviations) and the standard
/// deviation (a factor of 1.5) of the lower; one column is enough when they are 10 standard deviations apart.
/// explained: these columns become true.
std::optional<Anomaly> find_mixed_units(const DataTable& table, std::span<const Column> columns, std::size_t end,
                                        std::vector<bool>& explained);

}  // namespace handrail::train
