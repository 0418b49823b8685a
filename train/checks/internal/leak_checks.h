#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <handrail/train/checks/internal/data_table.h>
#include <handrail/train/data/task.h>
#include <handrail/train/report/events.h>

// Pure functions that find columns which tell the target, or nothing but the number of the row.

namespace handrail::train {

/// How much of the gap between a constant prediction and a perfect one a column closes alone, at most 1; negative when
/// its predictions are worse than a constant. Each row is predicted from others with like values of the column.
///   classes      in errors, to which 1.6 standard errors and 1.6 more are added. Among 5 equal values or more, the
///   most
///                frequent class of the others; else that of the two rows before and the two behind in the order of the
///                column, the nearest one counting first
///   regression   in squared errors: the mean of those four rows
double closed_gap(const Column& column, std::span<const Scalar> targets, Task task);

/// Reports what a column tells that it should not. Looks at targets of one number, and at inputs with two columns or
/// more.
///   "label_leak"          a column closes more than 97 % of the gap for classes, or 95 % for a regression, and no
///   other
///                         one 90 %: where several do, the task is easy, or they are functions of one quantity
///   "label_leak"          of classes, too: whether a column has its most frequent value tells the rows of one class,
///   or
///                         all others, in 80 % after the same additions, and no other column does in 60 %. It has two
///                         values, or no other one comes in 2 % of the rows
///   "identifier_column"   the column rises or falls from each row to the next, while another column does not; or it
///   has
///                         another whole number in every row and they are denser than chance (n distinct of R possible
///                         ones, n^2 / 2 R > 20). At least 50 rows. A warning when it also closes 20 % of the gap,
///                         otherwise a note.
/// drifts: whether the identifier of the validation set has other values, which makes it a warning too.
std::vector<Anomaly> check_leaks(const DataTable& table, std::span<const Column> columns, Task task,
                                 bool drifts = false);

/// The first column of the inputs that is an identifier by the rule above; nothing when none is.
std::optional<std::size_t> identifier_column(const DataTable& table, std::span<const Column> columns);

}  // namespace handrail::train
