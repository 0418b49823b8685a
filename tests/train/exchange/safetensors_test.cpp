#include <handrail/train/exchange/safetensors.h>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <handrail/core/error.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/tensors.h"

using namespace handrail;
using namespace handrail::train;

namespace {

// A file with that header and these elements.
std::string file_of(const std::string& header, const std::string& elements = {}) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 255);
  return bytes + header + elements;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

template <class Number>
std::string bytes_of(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

// What a file with one tensor of that dtype holds.
template <class Number>
Tensor read_as(const std::string& dtype, const std::vector<Number>& numbers) {
  const TempDir dir;
  const std::string elements = bytes_of(numbers);
  const std::string size = std::to_string(elements.size()), count = std::to_string(numbers.size());
  dir.write("file", file_of("{" + entry("x", dtype, "[" + count + "]", "[0," + size + "]") + "}", elements));
  return load_safetensors(dir.path() / "file").tensors.at("x");
}

void check_refused(const std::string& bytes, const std::string& want) {
  const TempDir dir;
  dir.write("file", bytes);
  check_throws<DataError>([&] { load_safetensors(dir.path() / "file"); }, "load_safetensors: '", want);
}

}  // namespace

TEST_CASE("tensors and texts that save_safetensors writes come back to the bit") {
  const TempDir dir;
  const NamedTensors tensors{{"matrix", Tensor({2, 3}, {1, -2, 3.5F, -0.0F, 1e-40F, 6})},
                             {"scalar", Tensor::scalar(7)},
                             {"empty", Tensor({0, 5})},
                             {"special", Tensor({2}, {NAN, INFINITY})},
                             {"name with \" and \xC3\xA4", Tensor({1}, {8})}};
  save_safetensors(dir.path() / "file", tensors, {{"format", "pt"}, {"note", "line\nbreak"}});
  const Safetensors read = load_safetensors(dir.path() / "file");
  REQUIRE(read.tensors.size() == tensors.size());
  for (const auto& entry : tensors) {
    const Tensor &tensor = entry.second, &again = read.tensors.at(entry.first);
    const bool same =
        again.shape() == tensor.shape() && std::memcmp(again.data(), tensor.data(), tensor.span().size_bytes()) == 0;
    CHECK_MESSAGE(same, entry.first);
  }
  CHECK(read.metadata == std::map<std::string, std::string>{{"format", "pt"}, {"note", "line\nbreak"}});
}

TEST_CASE("a file of safetensors is the bytes that the format describes") {
  const TempDir dir;
  save_safetensors(dir.path() / "file", {{"a", Tensor({2}, {1, 2})}, {"b", Tensor::scalar(3)}}, {{"format", "pt"}});
  const std::string header = "{\"__metadata__\":{\"format\":\"pt\"}," + entry("a", "F32", "[2]", "[0,8]") + "," +
                             entry("b", "F32", "[]", "[8,12]") + "}";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  CHECK(dir.read("file") == file_of(padded, bytes_of<float>({1, 2, 3})));
  save_safetensors(dir.path() / "none", {});
  CHECK(dir.read("none") == file_of("{}      "));
  CHECK(load_safetensors(dir.path() / "none").tensors.empty());
}

TEST_CASE("load_safetensors converts numbers of other types where a Scalar equals them") {
  const auto check = [](const Tensor& read, std::initializer_list<Scalar> want) {
    CHECK(same_bits(read, Tensor({static_cast<Index>(want.size())}, want)));
  };
  check(read_as<double>("F64", {0.1, -1e-30, 3}), {0.1F, -1e-30F, 3});
  check(read_as<std::uint16_t>("F16", {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x8000, 0x7C00}),
        {1, -2, 65504, 0x1p-24F, -0.0F, INFINITY});
  check(read_as<std::uint16_t>("BF16", {0x3F80, 0xC000, 0x7F7F}), {1, -2, 0x1.FEp127F});
  check(read_as<std::int64_t>("I64", {-5, 1LL << 24, std::numeric_limits<std::int64_t>::min()}),
        {-5, 1 << 24, -0x1p63F});
  check(read_as<std::int32_t>("I32", {-7, std::numeric_limits<std::int32_t>::min()}), {-7, -0x1p31F});
  check(read_as<std::uint8_t>("U8", {0, 255}), {0, 255});
  check(read_as<std::uint8_t>("BOOL", {0, 1}), {0, 1});
  check(read_as<std::uint64_t>("U64", {1ULL << 63}), {0x1p63F});
}

TEST_CASE("load_safetensors refuses a number that no Scalar equals, and names its place") {
  const auto refused = [](auto&& read) {
    check_throws<DataError>(read, "tensor 'x' [2]: want numbers that a float can hold; element 1 is none");
  };
  refused([] { read_as<std::int64_t>("I64", {1, (1LL << 24) + 1}); });
  refused([] { read_as<std::int64_t>("I64", {1, std::numeric_limits<std::int64_t>::max()}); });
  refused([] { read_as<std::uint64_t>("U64", {1, ~0ULL}); });
  refused([] { read_as<std::int32_t>("I32", {1, -(1 << 25) - 1}); });
  refused([] { read_as<std::uint8_t>("BOOL", {1, 2}); });
  refused([] { read_as<double>("F64", {1, 1e300}); });
}

TEST_CASE("load_safetensors refuses every malformed file and says what is wrong") {
  const std::string four(4, '\0'), a = entry("a", "F32", "[1]", "[0,4]");
  check_refused("", "want the length of a header in 8 bytes; got 0 bytes");
  check_refused(file_of("{" + a + "}", four).substr(0, 30), "the file is cut");
  check_refused(std::string(8, '\xFF') + "{}", "want a header of at most 100 MB");
  check_refused(file_of(""), "want a header that begins with '{'");
  check_refused(file_of(" {}"), "want a header that begins with '{'; got ' {}'");
  check_refused(file_of("[]"), "want a header that begins with '{'");
  check_refused(file_of("{" + a), "want a header in JSON");
  check_refused(file_of("{" + a + "}x", four), "want a header in JSON");
  check_refused(file_of("{" + a + "}" + std::string("\0[[[", 4), four), "got a byte 0 in it");
  check_refused(file_of("{" + entry("\xFF", "F32", "[1]", "[0,4]") + "}", four), "want a header in JSON");
  check_refused(file_of("{" + a + "," + a + "}", four), "want each name once; got 'a' twice");
  check_refused(file_of("{\"__metadata__\":{},\"__metadata__\":{}}"), "want each name once");
  check_refused(file_of("{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}"), "want each name once");
  check_refused(file_of("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", four),
                "got 'dtype' twice");
  check_refused(file_of("{\"__metadata__\":{\"a\":1}}"), "got a number");
  check_refused(file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}"), "want dtype, shape and data_offsets");
  check_refused(file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"x\":[]}}", four),
                "got an array as 'x'");
  check_refused(file_of("{\"a\":1}"), "want an object; got a number");
  check_refused(file_of("{" + entry("a", "F31", "[1]", "[0,4]") + "}", four), "want a dtype of handrail");
  check_refused(file_of("{" + entry("a", "F32", "[1.0]", "[0,4]") + "}", four), "a number with a fraction");
  check_refused(file_of("{" + entry("a", "F32", "[-1]", "[0,4]") + "}", four), "a negative number");
  check_refused(file_of("{" + entry("a", "F32", "[[1]]", "[0,4]") + "}", four), "an array");
  check_refused(file_of("{" + entry("a", "F32", "[1,1,1,1,1]", "[0,4]") + "}", four), "at most 4 dimensions");
  check_refused(file_of("{" + entry("a", "F32", "[4294967296,4294967296]", "[0,4]") + "}", four), "elements");
  check_refused(file_of("{" + entry("a", "F32", "[18446744073709551615]", "[0,4]") + "}", four), "below 2^63");
  check_refused(file_of("{" + entry("a", "F32", "[1]", "[0,4,8]") + "}", four), "want two data_offsets; got 3");
  check_refused(file_of("{" + entry("a", "F32", "[1]", "[4,0]") + "}", four), "want data_offsets in [0, 4]");
  check_refused(file_of("{" + entry("a", "F32", "[2]", "[0,8]") + "}", four), "want data_offsets in [0, 4]");
  check_refused(file_of("{" + entry("a", "F32", "[2]", "[0,4]") + "}", four), "want 8 bytes for shape [2]; got 4");
  check_refused(file_of("{" + entry("a", "F32", "[0]", "[0,4]") + "}", four), "want 0 bytes for shape [0]; got 4");
  check_refused(file_of("{" + a + "," + entry("b", "F32", "[1]", "[0,4]") + "}", four), "they overlap");
  check_refused(file_of("{" + a + "," + entry("b", "F32", "[1]", "[8,12]") + "}", four + four + four), "a hole");
  check_refused(file_of("{" + a + "}", four + "x"), "want 4 bytes of elements; got 5");
}

TEST_CASE("a header of many short entries is refused before it takes more memory than a file of its size may") {
  std::string metadata;
  for (int i = 0; i < 20000; ++i) metadata += "\"" + std::to_string(i) + "\":\"\",";
  metadata.back() = '}';
  check_refused(file_of("{\"__metadata__\":{" + metadata + "}"), "want longer entries");
}

TEST_CASE("save_safetensors refuses what the format cannot hold and leaves the file as it was") {
  const TempDir dir;
  const auto path = dir.write("file", "old");
  const Tensor x = Tensor::scalar(1);
  check_throws<OptionError>([&] { save_safetensors(path, {{"__metadata__", x}}); }, "save_safetensors: '");
  check_throws<OptionError>([&] { save_safetensors(path, {{"\xFF", x}}); }, "want names and metadata in UTF-8");
  check_throws<OptionError>([&] { save_safetensors(path, {{"a", Tensor()}}); }, "'a' is undefined");
  CHECK(dir.read("file") == "old");
  check_throws<CheckpointError>([&] { load_safetensors(dir.path() / "absent"); }, "cannot open the file");
}
