#pragma once

#include <algorithm>
#include <cmath>

#include <handrail/core/error.h>
#include <handrail/core/tensor.h>
#include <handrail/train/data/task.h>

namespace handrail::train {

// How predictions and targets become classes, for the accuracy and all metrics of classes: see Task.

/// The position of the largest of the `cols` elements, the first of several equal ones.
inline Index first_largest(const Scalar* row, Index cols) { return std::max_element(row, row + cols) - row; }

/// The labels of a batch of predictions and targets.
struct LabelShape {
  Task task;      // multiclass or binary
  Index columns;  // labels a row
  Index classes;  // classes of a label; 2 for Task::binary
  bool operator==(const LabelShape&) const = default;
};

/// The labels of a batch of this task. Throws ShapeError when the shapes do not fit the task.
inline LabelShape label_shape(const char* who, Task task, const Tensor& predictions, const Tensor& targets) {
  const Shape &p = predictions.shape(), &t = targets.shape();
  const bool same_rows = p.rank() > 0 && t.rank() > 0 && p[0] == t[0] && p[0] > 0;
  if (task == Task::multiclass) {
    if (!same_rows || p.rank() < 2 || p.cols() == 0 || targets.size() != p.rows())
      fail<ShapeError>(who, ": want predictions [N, C], targets [N]; got ", p, " and ", t);
    return {.task = task, .columns = targets.size() / p[0], .classes = p.cols()};
  }
  if (!same_rows || predictions.size() != targets.size() || targets.size() == 0)
    fail<ShapeError>(who, ": want predictions and targets of the same shape; got ", p, " and ", t);
  return {.task = Task::binary, .columns = targets.size() / p[0], .classes = 2};
}

/// The labels of a batch whose task is not known: predictions with as many elements as the targets are Task::binary,
/// others Task::multiclass. Throws ShapeError when the shapes fit neither.
inline LabelShape label_shape(const char* who, const Tensor& predictions, const Tensor& targets) {
  const Shape& p = predictions.shape();
  if (predictions.size() == targets.size()) return label_shape(who, Task::binary, predictions, targets);
  if (p.rank() >= 2 && p.rows() == targets.size()) return label_shape(who, Task::multiclass, predictions, targets);
  fail<ShapeError>(who, ": want predictions [N, C] and targets [N], or both of the same shape; got ", p, " and ",
                   targets.shape());
}

/// Calls f(column, true class, predicted class) for every label. Throws DataError naming the row of a target that is
/// not a class index, or for Task::binary is not in [0, 1].
template <class F>
void for_each_label(const char* who, const LabelShape& shape, const Tensor& predictions, const Tensor& targets, F&& f) {
  const Scalar *p = predictions.data(), *t = targets.data();
  const Index rows = targets.shape()[0], classes = shape.classes;
  for (Index row = 0; row < rows; ++row)
    for (Index column = 0; column < shape.columns; ++column, ++t) {
      if (shape.task == Task::multiclass) {
        if (!(*t >= 0 && *t < static_cast<Scalar>(classes)) || *t != std::floor(*t))
          throw DataError(
              concat(who, ": want a class in [0, ", classes, ") as a whole number; got ", *t, " in row ", row), row);
        f(column, static_cast<Index>(*t), first_largest(p, classes));
        p += classes;
      } else {
        if (!(*t >= 0 && *t <= 1))
          throw DataError(concat(who, ": want targets in [0, 1]; got ", *t, " in row ", row), row);
        f(column, *t > Scalar(0.5) ? Index{1} : Index{0}, *p > 0 ? Index{1} : Index{0});
        ++p;
      }
    }
}

}  // namespace handrail::train
