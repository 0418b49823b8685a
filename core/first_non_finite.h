#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <handrail/core/tape.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

/// Finds the op that made the first value that is not finite, by observing a step that is run again:
///
///   FirstNonFinite finder;
///   Tape tape(Mode::train, position);
///   tape.observe(&finder);
///   tape.backward(loss(model(x), y));
///   if (finder.origin()) ...             // "linear", in forward, of hidden.weight
///
/// It reads every value, which takes about as long as the step. Clear the gradients before: the first op that adds to a
/// gradient which is not finite already would be reported as the origin.
class FirstNonFinite final : public TapeObserver {
 public:
  /// What the first value that is not finite came from.
  enum class Source {
    data,       // an input of the op that no op on the tape made and that is not trained, such as a batch
    parameter,  // a leaf that the op read
    forward,    // the op itself: its inputs were finite
    backward,   // the backward function of the op: the gradient of its output was finite
  };
  /// The first value that is not finite, and the op that made or read it.
  struct Origin {
    Source source;   // tells whether the data, the parameters, the op or its gradient are to blame
    std::string op;  // such as "linear"; with Source::data and Source::parameter it only read the value
    Index position;  // of the op among all that ran forward, from 0
    /// The leaves that the op read or, when it read none, those of the last op before it that read some: they tell the
    /// layer. With Source::parameter, only the leaf that is not finite.
    std::vector<Tensor> leaves;
    Shape shape;    // of the tensor that is not finite: an input, the output or the gradient of an input
    Index element;  // the position of its first element that is not finite
    Scalar value;   // of that element
  };
  /// Empty when all values were finite.
  const std::optional<Origin>& origin() const { return origin_; }

  void forward(const char* op, Index node, std::span<const Input> inputs, const Tensor& output) override;
  void backward(const char* op, Index node, const Tensor& output_grad, std::span<const InputGrad> inputs) override;

 private:
  struct Place {
    Index position;
    std::size_t leaves;  // in leaves_
  };
  bool found(Source source, const char* op, Place place, const Tensor& tensor);

  std::optional<Origin> origin_;
  Index position_ = -1;                             // of the last op
  std::vector<std::vector<Tensor>> leaves_ = {{}};  // first none, then those of each op that read some
  std::vector<Place> places_;                       // one for each recorded op
};

}  // namespace HANDRAIL_SCALAR_NAMESPACE

/// "data", "parameter", "forward" or "backward".
const char* to_string(FirstNonFinite::Source source);

}  // namespace handrail
