#include <handrail/train/exchange/internal/safetensors_header.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <handrail/core/error.h>
#include <handrail/train/files/text.h>

namespace handrail::train {
namespace {

constexpr std::array<std::pair<std::string_view, ElementType>, 13> type_names{{{"BOOL", ElementType::boolean},
                                                                               {"U8", ElementType::u8},
                                                                               {"I8", ElementType::i8},
                                                                               {"U16", ElementType::u16},
                                                                               {"I16", ElementType::i16},
                                                                               {"F16", ElementType::f16},
                                                                               {"BF16", ElementType::bf16},
                                                                               {"U32", ElementType::u32},
                                                                               {"I32", ElementType::i32},
                                                                               {"F32", ElementType::f32},
                                                                               {"U64", ElementType::u64},
                                                                               {"I64", ElementType::i64},
                                                                               {"F64", ElementType::f64}}};

// Takes the events of the JSON parser. It keeps what a header needs and nothing else, so that no document that JSON
// allows takes more memory than a header of its length may.
class HeaderParser final : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderParser(const std::string& who, std::size_t header_bytes) : who_(who), allowed_(65536 + 3 * header_bytes) {}

  std::deque<SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool number_integer(number_integer_t) override { return refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return refuse("a number with a fraction"); }
  bool binary(binary_t&) override { return refuse("binary data"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (!in_array_) return refuse("a number");
    if (numbers_.size() == max_numbers) fail<DataError>(where(), ": want at most 4 dimensions; got more");
    numbers_.push_back(value);
    return true;
  }
  bool string(string_t& value) override {
    if (depth_ != 2 || in_array_) return refuse("a text");
    if (in_metadata_) {
      charge(sizeof(string_t) + value.size());
      if (!metadata.emplace(std::move(key_), std::move(value)).second) twice();
      return true;
    }
    if (key_ != "dtype") return refuse("a text");
    const auto known = std::ranges::find(type_names, value, [](const auto& named) { return named.first; });
    if (known == type_names.end())
      fail<DataError>(where(), ": want a dtype of handrail, such as F32; got ", quoted_name(value));
    set(type_, known->second);
    return true;
  }
  bool key(string_t& value) override {
    key_ = std::move(value);
    charge(key_.size() + sizeof(string_t));
    if (depth_ > 1) return true;
    name_ = key_;
    in_metadata_ = name_ == safetensors_metadata;
    if (in_metadata_ && std::exchange(has_metadata_, true)) twice();
    return true;
  }
  bool start_object(std::size_t) override {
    if (depth_ == 2 || in_array_) return refuse("an object");
    ++depth_;
    type_.reset();
    shape_.reset();
    offsets_.reset();
    return true;
  }
  bool end_object() override {
    if (--depth_ != 1 || in_metadata_) return true;
    if (!type_ || !shape_ || !offsets_) fail<DataError>(where(), ": want dtype, shape and data_offsets; got no such");
    if (offsets_->size() != 2) fail<DataError>(where(), ": want two data_offsets; got ", offsets_->size());
    charge(sizeof(SafetensorsEntry));
    entries.push_back({name_, *type_, shape_of(*shape_), (*offsets_)[0], (*offsets_)[1]});
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || in_array_ || (key_ != "shape" && key_ != "data_offsets"))
      return refuse("an array");
    in_array_ = true;
    numbers_.clear();
    return true;
  }
  bool end_array() override {
    in_array_ = false;
    set(key_ == "shape" ? shape_ : offsets_, numbers_);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) override {
    const std::string_view text = error.what();
    const std::size_t detail = text.find("syntax error");
    fail<DataError>(who_, ": want a header in JSON; at its byte ", position, ": ",
                    excerpt(detail == text.npos ? text : text.substr(detail), 120));
  }

 private:
  using Numbers = std::vector<std::uint64_t>;
  static constexpr std::size_t max_numbers = Shape::max_rank;

  std::string where() const { return concat(who_, ": tensor ", quoted_name(name_)); }
  bool refuse(const char* got) const {
    if (depth_ == 0) fail<DataError>(who_, ": want a JSON object as header; got ", got);
    if (depth_ == 1) fail<DataError>(where(), ": want an object; got ", got);
    fail<DataError>(where(), ": want dtype, shape and data_offsets, or texts as metadata; got ", got, " as ",
                    quoted_name(key_));
  }
  void twice() const { fail<DataError>(where(), ": want each name once; got ", quoted_name(key_), " twice"); }
  template <class T>
  void set(std::optional<T>& field, const T& value) {
    if (field) twice();
    field = value;
  }
  void charge(std::size_t bytes) {
    used_ += bytes + 16;
    if (used_ > allowed_) fail<DataError>(who_, ": want longer entries; got a header of too many short ones");
  }
  Shape shape_of(const Numbers& dims) const {
    std::vector<Index> signed_dims;
    for (const std::uint64_t dim : dims) {
      if (dim > static_cast<std::uint64_t>(std::numeric_limits<Index>::max()))
        fail<DataError>(where(), ": want dimensions below 2^63; got ", dim);
      signed_dims.push_back(static_cast<Index>(dim));
    }
    try {
      return Shape(signed_dims);
    } catch (const ShapeError& error) {
      fail<DataError>(where(), ": ", error.what());
    }
  }

  const std::string& who_;
  std::size_t allowed_, used_ = 0;
  int depth_ = 0;
  bool in_metadata_ = false, has_metadata_ = false, in_array_ = false;
  std::string name_, key_;  // of the tensor, and of the value in it
  Numbers numbers_;         // of the array under way
  std::optional<ElementType> type_;
  std::optional<Numbers> shape_, offsets_;
};

// Sorts the entries by their elements and checks that these fill `size` bytes.
void check_entries(std::deque<SafetensorsEntry>& entries, std::uint64_t size, const std::string& who) {
  std::ranges::sort(entries, {}, &SafetensorsEntry::name);
  const auto same = std::ranges::adjacent_find(entries, {}, &SafetensorsEntry::name);
  if (same != entries.end()) fail<DataError>(who, ": want each name once; got ", quoted_name(same->name), " twice");
  std::ranges::stable_sort(entries, {}, [](const auto& entry) { return std::pair(entry.begin, entry.end); });
  std::uint64_t filled = 0;
  for (const SafetensorsEntry& entry : entries) {
    const std::string where = concat(who, ": tensor ", quoted_name(entry.name));
    if (entry.begin > entry.end || entry.end > size)
      fail<DataError>(where, ": want data_offsets in [0, ", size, "]; got [", entry.begin, ", ", entry.end, "]");
    if (entry.begin != filled)
      fail<DataError>(where, ": want elements at ", filled, ", behind those before; got ", entry.begin,
                      entry.begin < filled ? ": they overlap" : ": there is a hole");
    const std::uint64_t want = static_cast<std::uint64_t>(entry.shape.size()) * size_of(entry.type);
    if (entry.end - entry.begin != want)
      fail<DataError>(where, ": want ", want, " bytes for shape ", entry.shape, "; got ", entry.end - entry.begin);
    filled = entry.end;
  }
  if (filled != size) fail<DataError>(who, ": want ", filled, " bytes of elements; got ", size);
}

std::uint64_t number_at_front(std::string_view file) {
  std::uint64_t number = 0;
  for (std::size_t i = 8; i-- > 0;) number = number << 8 | static_cast<unsigned char>(file[i]);
  return number;
}

}  // namespace

SafetensorsHeader parse_safetensors(std::string_view file, const std::string& who) {
  if (file.size() < 8) fail<DataError>(who, ": want the length of a header in 8 bytes; got ", file.size(), " bytes");
  const std::uint64_t length = number_at_front(file);
  if (length > max_safetensors_header)
    fail<DataError>(who, ": want a header of at most 100 MB; got ", length, " bytes; is it a file of safetensors?");
  if (length > file.size() - 8)
    fail<DataError>(who, ": want a header of ", length, " bytes; got ", file.size() - 8, ": the file is cut");
  const std::string_view text = file.substr(8, length);
  if (!text.starts_with('{')) fail<DataError>(who, ": want a header that begins with '{'; got ", excerpt(text, 20));
  // The parser takes a byte 0 for the end of the text.
  if (text.find('\0') != text.npos) fail<DataError>(who, ": want a header in JSON; got a byte 0 in it");
  HeaderParser parser(who, text.size());
  nlohmann::json::sax_parse(text, &parser);
  SafetensorsHeader header{
      .entries = std::move(parser.entries), .metadata = std::move(parser.metadata), .bytes = 8 + length};
  check_entries(header.entries, file.size() - header.bytes, who);
  return header;
}

}  // namespace handrail::train
