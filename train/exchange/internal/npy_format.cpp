#include <handrail/train/exchange/internal/npy_format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/exchange/internal/elements.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::string_view magic = "\x93NUMPY";

constexpr std::array<std::pair<std::string_view, ElementType>, 14> descriptions{{{"|b1", ElementType::boolean},
                                                                                 {"|u1", ElementType::u8},
                                                                                 {"|i1", ElementType::i8},
                                                                                 {"<u1", ElementType::u8},
                                                                                 {"<i1", ElementType::i8},
                                                                                 {"<u2", ElementType::u16},
                                                                                 {"<i2", ElementType::i16},
                                                                                 {"<f2", ElementType::f16},
                                                                                 {"<u4", ElementType::u32},
                                                                                 {"<i4", ElementType::i32},
                                                                                 {"<f4", ElementType::f32},
                                                                                 {"<u8", ElementType::u64},
                                                                                 {"<i8", ElementType::i64},
                                                                                 {"<f8", ElementType::f64}}};

// Reads the header, of which numpy writes one form, with any blanks and in any order of the keys.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& who) : text_(text), who_(who) {}

  std::optional<ElementType> type;
  std::optional<bool> fortran_order;
  std::optional<std::vector<Index>> shape;

  void read() {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !type)
        read_type();
      else if (key == "fortran_order" && !fortran_order)
        read_order();
      else if (key == "shape" && !shape)
        read_shape();
      else
        fail<DataError>(who_, ": want descr, fortran_order and shape, each once; got ", excerpt(key));
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_blanks();
    if (at_ != text_.size()) refuse("the end");
    if (!type || !fortran_order || !shape) fail<DataError>(who_, ": want descr, fortran_order and shape; got no such");
  }

 private:
  [[noreturn]] void refuse(const char* want) const {
    fail<DataError>(who_, ": want ", want, " at byte ", at_, " of the header; got ", excerpt(text_.substr(at_), 20));
  }
  void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\n", at_), text_.size()); }
  bool accept(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    const char want[] = {c, '\0'};
    if (!accept(c)) refuse(want);
  }
  bool accept_word(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  std::string_view quoted() {
    skip_blanks();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : text_.npos;
    if (end == text_.npos) refuse("a text in quotes");
    const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return inside;
  }
  void read_type() {
    skip_blanks();
    if (at_ < text_.size() && text_[at_] == '[') fail<DataError>(who_, ": want numbers; got records of several fields");
    const std::string_view text = quoted();
    const auto known = std::ranges::find(descriptions, text, [](const auto& named) { return named.first; });
    if (known == descriptions.end())
      fail<DataError>(who_, ": want numbers up to 8 bytes, little-endian, such as <f4; got dtype ", excerpt(text));
    type = known->second;
  }
  void read_order() {
    if (accept_word("True"))
      fortran_order = true;
    else if (accept_word("False"))
      fortran_order = false;
    else
      refuse("True or False");
  }
  void read_shape() {
    expect('(');
    shape.emplace();
    while (!accept(')')) {
      skip_blanks();
      Index dim = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), dim);
      if (error != std::errc() || dim < 0) refuse("a dimension");
      at_ = static_cast<std::size_t>(end - text_.data());
      if (shape->size() == Shape::max_rank) fail<DataError>(who_, ": want at most 4 dimensions; got more");
      shape->push_back(dim);
      if (accept(',')) continue;
      if (shape->size() == 1) refuse(",");  // (3) is no tuple
      expect(')');
      break;
    }
  }

  std::string_view text_;
  const std::string& who_;
  std::size_t at_ = 0;
};

// The elements in C order, where `from` has those of one first index at a distance of one.
void copy_fortran(const Shape& shape, const Scalar* from, Scalar* to) {
  std::array<Index, Shape::max_rank> position{};
  std::array<Index, Shape::max_rank> strides{};
  Index stride = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= shape[axis];
  }
  for (Index i = 0, at = 0; i < shape.size(); ++i) {
    to[i] = from[at];
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      at += strides[a];
      if (++position[a] < shape[axis]) break;
      at -= strides[a] * shape[axis];
      position[a] = 0;
    }
  }
}

Shape shape_of(const std::vector<Index>& dims, const std::string& who) {
  try {
    return Shape(dims);
  } catch (const ShapeError& error) {
    fail<DataError>(who, ": ", error.what());
  }
}

}  // namespace

std::string npy_header(const Tensor& tensor) {
  std::string dims;
  for (const Index dim : tensor.shape().dims()) dims += std::to_string(dim) + (tensor.shape().rank() == 1 ? "," : ", ");
  if (tensor.shape().rank() > 1) dims.resize(dims.size() - 2);
  std::string text =
      concat("{'descr': '", sizeof(Scalar) == 4 ? "<f4" : "<f8", "', 'fortran_order': False, 'shape': (", dims, "), }");
  constexpr std::size_t before = magic.size() + 4, multiple = 64;
  text.append(multiple - 1 - (before + text.size()) % multiple, ' ');
  text += '\n';
  std::string bytes(magic);
  bytes += {'\1', '\0', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  return bytes + text;
}

Tensor parse_npy(std::string_view file, const std::string& who) {
  constexpr std::size_t version_at = magic.size(), length_at = version_at + 2;
  if (!file.starts_with(magic) || file.size() < length_at)
    fail<DataError>(who, ": want a file of numpy.save; got ", excerpt(file, 8));
  const char major = file[version_at], minor = file[version_at + 1];
  if (major < 1 || major > 3 || minor != 0)
    fail<DataError>(who, ": want version 1.0, 2.0 or 3.0; got ", int{major}, '.', int{minor});
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  std::size_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;)
    length = length << 8 | static_cast<unsigned char>(length_at + i < file.size() ? file[length_at + i] : '\xFF');
  const std::size_t header_at = length_at + length_bytes;
  if (file.size() < header_at || length > file.size() - header_at)
    fail<DataError>(who, ": want a header of ", length, " bytes; the file is cut");
  HeaderReader header(file.substr(header_at, length), who);
  header.read();
  const Shape shape = shape_of(*header.shape, who);
  const std::string_view bytes = file.substr(header_at + length);
  const std::size_t want = static_cast<std::size_t>(shape.size()) * size_of(*header.type);
  if (bytes.size() != want)
    fail<DataError>(who, ": want ", want, " bytes of elements for shape ", shape, "; got ", bytes.size());
  Tensor tensor(shape);
  if (const Index bad = to_scalars(*header.type, bytes, tensor.mutable_data()); bad >= 0)
    fail<DataError>(who, ": want numbers that ", sizeof(Scalar) == 4 ? "a float" : "a double",
                    " can hold; the one at place ", bad, " of the file is none");
  if (!*header.fortran_order || shape.rank() < 2) return tensor;
  Tensor ordered(shape);
  copy_fortran(shape, tensor.data(), ordered.mutable_data());
  return ordered;
}

}  // namespace handrail::train
