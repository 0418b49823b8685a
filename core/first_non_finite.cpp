#include <handrail/core/first_non_finite.h>

#include <utility>

#include <handrail/core/system/finite.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {

// Notes the origin when the tensor is not finite, and returns whether it did.
bool FirstNonFinite::found(Source source, const char* op, Place place, const Tensor& tensor) {
  const Index element = first_non_finite(tensor.span());
  if (element < 0) return false;
  origin_ = {.source = source,
             .op = op,
             .position = place.position,
             .leaves = source == Source::parameter ? std::vector{tensor} : leaves_[place.leaves],
             .shape = tensor.shape(),
             .element = element,
             .value = tensor.data()[element]};
  return true;
}

void FirstNonFinite::forward(const char* op, Index node, std::span<const Input> inputs, const Tensor& output) {
  if (origin_) return;
  std::vector<Tensor> read;
  for (const Input& input : inputs)
    if (const Tensor tensor = input.tensor(); tensor.requires_grad()) read.push_back(tensor);
  if (!read.empty()) leaves_.push_back(std::move(read));
  const Place place{.position = ++position_, .leaves = leaves_.size() - 1};
  if (node >= 0) {
    places_.resize(static_cast<std::size_t>(node), place);
    places_.push_back(place);
  }
  if (first_non_finite(output.span()) < 0) return;
  // All outputs before this one were finite, so an input that is not finite is no output of an op.
  for (const Input& input : inputs) {
    const Tensor tensor = input.tensor();
    if (found(tensor.requires_grad() ? Source::parameter : Source::data, op, place, tensor)) return;
  }
  found(Source::forward, op, place, output);
}

void FirstNonFinite::backward(const char* op, Index node, const Tensor&, std::span<const InputGrad> inputs) {
  if (origin_) return;
  const Place place = places_[static_cast<std::size_t>(node)];
  for (const InputGrad& input : inputs)
    if (found(Source::backward, op, place, input.grad)) return;
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE

const char* to_string(FirstNonFinite::Source source) {
  switch (source) {
    case FirstNonFinite::Source::data:
      return "data";
    case FirstNonFinite::Source::parameter:
      return "parameter";
    case FirstNonFinite::Source::forward:
      return "forward";
    case FirstNonFinite::Source::backward:
      return "backward";
  }
  return "unknown";
}

}  // namespace handrail
