#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ostream>
#include <string>
#include <vector>

#include <handrail/core/tensor.h>

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace {

constexpr Index max_elements = 1000;    // of a tensor that is printed in full
constexpr Index edge_elements = 3;      // printed at each end of a dimension of a larger tensor
constexpr std::size_t line_width = 80;  // characters
constexpr const char* opening = "Tensor(";

class Printer {
 public:
  explicit Printer(const Tensor& tensor)
      : tensor_(tensor), shape_(tensor.shape()), elide_(tensor.size() > max_elements) {
    std::vector<Scalar> values;
    collect(0, 0, values);
    whole_ = std::ranges::all_of(
        values, [](Scalar x) { return !std::isfinite(x) || (std::trunc(x) == x && std::abs(x) < Scalar(1e7)); });
    for (const Scalar x : values) texts_.push_back(text(x));
    for (const std::string& number : texts_) width_ = std::max(width_, number.size());
    next_ = texts_.begin();
  }

  std::string print() {
    text_ = opening;
    write(0);
    if (shape_.rank() == 0) return text_ + ")";
    std::string dims;
    for (const Index dim : shape_.dims()) dims += (dims.empty() ? "" : ", ") + std::to_string(dim);
    return text_ + ", shape [" + dims + "])";
  }

 private:
  bool elided(int axis) const { return elide_ && shape_[axis] > 2 * edge_elements; }

  // Calls each(i) for the positions along the axis that are printed.
  template <class Each>
  void along(int axis, Each&& each) const {
    for (Index i = 0; i < shape_[axis]; ++i) {
      if (elided(axis) && i == edge_elements) i = shape_[axis] - edge_elements;
      each(i);
    }
  }

  void collect(int axis, Index offset, std::vector<Scalar>& values) const {
    if (axis == shape_.rank()) return values.push_back(tensor_.data()[offset]);
    along(axis, [&](Index i) { collect(axis + 1, offset * shape_[axis] + i, values); });
  }

  std::string text(Scalar x) const {
    if (!std::isfinite(x)) return std::isnan(x) ? "nan" : x > 0 ? "inf" : "-inf";
    std::array<char, 32> digits{};
    const auto end = whole_ ? std::to_chars(digits.begin(), digits.end(), x, std::chars_format::fixed, 0)
                            : std::to_chars(digits.begin(), digits.end(), x, std::chars_format::general, 4);
    return {digits.begin(), end.ptr};
  }

  void write(int axis) {
    if (axis == shape_.rank()) {
      text_ += std::string(width_ - next_->size(), ' ') + *next_;
      ++next_;
      return;
    }
    const bool last = axis == shape_.rank() - 1;
    const std::string indent(std::string(opening).size() + static_cast<std::size_t>(axis) + 1, ' ');
    const std::string line = "," + std::string(static_cast<std::size_t>(shape_.rank() - 1 - axis), '\n') + indent;
    const std::size_t per_line = std::max<std::size_t>(1, (line_width - indent.size()) / (width_ + 2));
    std::size_t count = 0;
    const auto separate = [&] {
      if (count > 0) text_ += !last ? line : count % per_line == 0 ? ",\n" + indent : ", ";
      ++count;
    };
    text_ += '[';
    along(axis, [&](Index i) {
      if (elided(axis) && i == shape_[axis] - edge_elements) {
        separate();
        text_ += "...";
      }
      separate();
      write(axis + 1);
    });
    text_ += ']';
  }

  const Tensor& tensor_;
  const Shape& shape_;
  bool elide_;
  bool whole_ = false;  // all printed numbers are whole numbers below 1e7
  std::vector<std::string> texts_;
  std::vector<std::string>::const_iterator next_;
  std::size_t width_ = 0;
  std::string text_;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  if (!tensor.defined()) return out << "Tensor(undefined)";
  return out << Printer(tensor).print();
}

}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail
