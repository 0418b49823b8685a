// Writes the seeds and those regressions that no campaign has found:
//   build/release/tests/fuzz/make_fuzz_files tests/fuzz

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdint>
#include <fstream>
#include <iostream>

#include <handrail/nn/linear.h>
#include <handrail/nn/norm.h>
#include <handrail/nn/sequential.h>
#include <handrail/train/checkpoints/checkpoint.h>

#include "checkpoint_files.h"
#include "support/files.h"
#include "support/training_state.h"

using namespace handrail;
using namespace handrail::train;

namespace {

std::filesystem::path root;

void write(const std::string& name, const std::string& bytes) {
  std::filesystem::create_directories((root / name).parent_path());
  std::ofstream out(root / name, std::ios::binary);
  out << bytes;
  if (!out.flush()) throw std::runtime_error("cannot write " + name);
}

std::string checkpoint(const TrainingState& state, bool is_best = false) {
  fuzz::OneFile file;
  save_checkpoint("file", state, is_best, file);
  return file.bytes;
}

template <class T>
std::string changed(std::string bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
  return bytes;
}

void write_checkpoints() {
  write("seeds/checkpoint/empty", checkpoint({}));
  write("seeds/checkpoint/full", checkpoint(full_state(), true));
  write("seeds/checkpoint/weights_only", checkpoint(state_at(5)));

  const std::string good = checkpoint({});
  write("regressions/checkpoint/empty_file", "");
  write("regressions/checkpoint/text", "parameters,buffers\n1,2\n");
  write("regressions/checkpoint/magic_only", good.substr(0, 8));
  write("regressions/checkpoint/cut_in_header", good.substr(0, 100));
  write("regressions/checkpoint/cut_in_section", good.substr(0, good.size() - 1));
  write("regressions/checkpoint/too_long", good + "\n");
  write("regressions/checkpoint/line_ends_converted", std::string(good).erase(4, 1));
  write("regressions/checkpoint/many_sections", changed(good, 20, std::uint32_t{0xFFFFFFFF}));
  write("regressions/checkpoint/header_changed", changed(good, 16, std::uint32_t{1}));
  write("regressions/checkpoint/section_changed", changed(good, good.size() - 1, '\2'));
  write("regressions/checkpoint/no_sections", container_header({}, 0));
  write("regressions/checkpoint/two_of_a_name", fuzz::file_of({{"best", ""}, {"best", ""}}));
  write("regressions/checkpoint/control_characters_in_section",
        fuzz::file_of({{"\x1B[31m\n", ""}, {"\x1B[31m\n", ""}}));
}

// The n-th section of a state, as the targets take it.
std::string numbered(const std::vector<Section>& sections, std::size_t n) {
  return static_cast<char>(n) + sections.at(n).bytes;
}

// How the sections store a number, behind the mark of their byte order; see checkpoint_codec.cpp.
std::string number(std::uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(value >> (8 * i) & 255);
  return bytes;
}
std::string name(const std::string& text) { return number(text.size()) + text; }
std::string tensor(const std::vector<std::uint64_t>& dims, const std::string& elements) {
  std::string bytes{sizeof(Scalar), static_cast<char>(dims.size())};
  for (const std::uint64_t dim : dims) bytes += number(dim);
  return bytes + elements;
}

void write_sections() {
  const std::vector<Section> full = encode(full_state());
  for (std::size_t n = 0; n < full.size(); ++n) write("seeds/decoder/" + full[n].name, numbered(full, n));

  const std::string parameters{'\0', '\1'}, guards{'\5', '\1'}, four(4, '\0');
  const auto one = [&](const std::string& value) { return parameters + number(1) + name("w") + value; };
  write("regressions/decoder/nothing", std::string(1, '\0'));
  write("regressions/decoder/big_endian", std::string{'\0', '\0'} + number(0));
  write("regressions/decoder/too_long", parameters + number(0) + "x");
  write("regressions/decoder/huge_count", parameters + number(~0ULL));
  write("regressions/decoder/huge_name", parameters + number(1) + number(1ULL << 62));
  write("regressions/decoder/huge_list", guards + number(1) + name("plateau") + number(1ULL << 40));
  write("regressions/decoder/huge_tensor", one(tensor({1ULL << 30, 1ULL << 25}, four)));
  write("regressions/decoder/size_overflows", one(tensor({1ULL << 32, 1ULL << 32}, four)));
  write("regressions/decoder/negative_dimension", one(tensor({~0ULL}, four)));
  write("regressions/decoder/zero_by_huge", one(tensor({0, 1ULL << 62, 1ULL << 62}, "")));
  write("regressions/decoder/rank_five", one(tensor({1, 1, 1, 1, 1}, four)));
  write("regressions/decoder/other_scalar", one(std::string{12 - sizeof(Scalar), '\0'} + four + four));
  write("regressions/decoder/not_finite", one(tensor({}, std::string{'\0', '\0', '\xC0', '\x7F'})));
  write("regressions/decoder/twice",
        parameters + number(2) + name("w") + tensor({}, four) + name("w") + tensor({}, four));
  write("regressions/decoder/control_characters_in_name",
        parameters + number(1) + name("\x1B]0;title\x07") + tensor({}, std::string{'\0', '\0', '\xC0', '\x7F'}));
  write("regressions/decoder/control_characters_twice",
        guards + number(2) + name("\x1B[2J") + number(0) + name("\x1B[2J") + number(0));
  write("regressions/decoder/not_a_boolean", std::string{'\6', '\1', '\2'});
  TrainingState state;
  state.progress.epoch = 0;
  write("regressions/decoder/epoch_zero", numbered(encode(state), 3));
  state.progress.epoch = std::numeric_limits<Index>::min();
  write("regressions/decoder/epoch_smallest", numbered(encode(state), 3));
  state.progress.epoch = std::numeric_limits<Index>::max();
  write("regressions/decoder/epoch_largest", numbered(encode(state), 3));
  state = {};
  state.decisions.planned_steps = -1;
  write("regressions/decoder/negative_count", numbered(encode(state), 4));

  const auto with_good = [](const TrainingState& good) {
    TrainingState of;
    of.good = std::make_shared<const TrainingState>(good);
    return numbered(encode(of), 9);
  };
  write("regressions/decoder/good_too_long", with_good({}) + "x");
  state = {};
  state.progress.epoch = 0;
  write("regressions/decoder/good_epoch_zero", with_good(state));
  state = {};
  state.parameters = {{"w", Tensor::scalar(std::numeric_limits<Scalar>::quiet_NaN())}};
  write("regressions/decoder/good_not_finite", with_good(state));
  write("regressions/decoder/good_huge_count", std::string{'\11', '\1'} + number(~0ULL));
}

void write_weights() {
  Rng rng(4);
  const std::vector<Section> good = encode(capture(nn::Sequential{nn::Linear{2, 3, rng}, nn::BatchNorm1d{3}}));
  for (std::size_t n = 0; n < good.size(); ++n) write("seeds/weights/" + good[n].name, numbered(good, n));

  const std::vector<Section> wide = encode(capture(nn::Sequential{nn::Linear{2, 4, rng}, nn::BatchNorm1d{4}}));
  write("regressions/weights/other_shapes", numbered(wide, 0));
  const std::vector<Section> bare = encode(capture(nn::Sequential{nn::Linear{2, 3, rng}}));
  write("regressions/weights/missing", numbered(bare, 0));
  write("regressions/weights/missing_buffers", numbered(bare, 1));
  const std::string four(4, '\0');
  write("regressions/weights/unknown", std::string{'\1', '\1'} + number(1) + name("momentum") + tensor({}, four));
  write("regressions/weights/control_characters_in_name",
        std::string{'\1', '\1'} + number(1) + name("\x1B[1A\r") + tensor({}, four));
}

std::string safetensors(const std::string& header, const std::string& elements = {}) {
  return number(header.size()) + header + elements;
}
std::string entry(const std::string& name, const std::string& type, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

void write_safetensors() {
  const std::string a = entry("a", "F32", "[1]", "[0,4]"), one("\0\0\x80\x3F", 4);
  const auto file = [&](const std::string& entries, const std::string& elements) {
    return safetensors("{" + entries + "}", elements);
  };
  write("seeds/safetensors/empty", safetensors("{}"));
  write("seeds/safetensors/metadata", safetensors("{\"__metadata__\":{\"format\":\"pt\"}," + a + "} ", one));
  write("seeds/safetensors/other_types",
        file(entry("b", "U8", "[2,2]", "[2,6]") + "," + entry("h", "F16", "[]", "[0,2]") + "," +
                 entry("z", "BOOL", "[0,3]", "[2,2]"),
             std::string("\x3C\0\1\2\3\4", 6)));

  write("regressions/safetensors/empty_file", "");
  write("regressions/safetensors/long_header", number(~0ULL) + "{}");
  write("regressions/safetensors/header_beyond_file", number(100) + "{}");
  write("regressions/safetensors/no_object", safetensors("[]"));
  write("regressions/safetensors/blank_first", safetensors(" {}"));
  write("regressions/safetensors/not_utf8", file(entry("\xC3", "F32", "[1]", "[0,4]"), one));
  write("regressions/safetensors/text_behind", safetensors("{" + a + "}]", one));
  write("regressions/safetensors/nul_in_header", safetensors("{" + a + "}" + std::string("\0", 1), one));
  write("regressions/safetensors/twice", file(a + "," + a, one));
  write("regressions/safetensors/deep", safetensors("{\"a\":" + std::string(1000, '[')));
  write("regressions/safetensors/overlap", file(a + "," + entry("b", "F32", "[1]", "[0,4]"), one));
  write("regressions/safetensors/hole", file(entry("a", "F32", "[1]", "[4,8]"), one + one));
  write("regressions/safetensors/too_long", file(a, one + "x"));
  write("regressions/safetensors/beyond", file(entry("a", "F32", "[2]", "[0,8]"), one));
  write("regressions/safetensors/other_size", file(entry("a", "F32", "[2]", "[0,4]"), one));
  write("regressions/safetensors/size_overflows", file(entry("a", "F32", "[4294967296,4294967296]", "[0,4]"), one));
  write("regressions/safetensors/zero_by_huge", file(entry("a", "F32", "[0,4611686018427387904,8]", "[0,0]"), ""));
  write("regressions/safetensors/dimension_overflows", file(entry("a", "F32", "[99999999999999999999]", "[0,4]"), one));
  write("regressions/safetensors/rank_five", file(entry("a", "F32", "[1,1,1,1,1]", "[0,4]"), one));
  write("regressions/safetensors/unknown_type", file(entry("a", "F8_E4M3", "[4]", "[0,4]"), one));
  write("regressions/safetensors/control_characters", file(entry("\\u001b[2J", "F31", "[1]", "[0,4]"), one));
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "\"" + std::to_string(i) + "\":\"\",";
  many.pop_back();
  write("regressions/safetensors/many_short_texts", safetensors("{\"__metadata__\":{" + many + "}}"));
}

std::string idx(std::initializer_list<std::uint32_t> dims, const std::string& data, char type = 8) {
  std::string bytes{0, 0, type, static_cast<char>(dims.size())};
  for (const std::uint32_t dim : dims)
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(dim >> shift & 255);
  return bytes + data;
}

void write_idx() {
  write("seeds/idx/labels", idx({4}, std::string{'\0', '\1', '\2', '\xFF'}));
  write("seeds/idx/images", idx({2, 2, 3}, "abcdefghijkl"));
  write("seeds/idx/colours", idx({1, 3, 2, 2}, "abcdefghijkl"));

  write("regressions/idx/empty_file", "");
  write("regressions/idx/web_page", "<!DOCTYPE html>");
  write("regressions/idx/cut_in_magic", idx({2}, "ab").substr(0, 3));
  write("regressions/idx/floats", idx({1}, "abcd", '\x0D'));
  write("regressions/idx/no_dimensions", idx({}, ""));
  write("regressions/idx/five_dimensions", idx({1, 1, 1, 1, 1}, "a"));
  write("regressions/idx/zero_dimension", idx({2, 0}, ""));
  write("regressions/idx/size_overflows", idx({~0U, ~0U, ~0U, ~0U}, ""));
  write("regressions/idx/size_wraps_to_zero", idx({1U << 31, 1U << 31, 4, 1}, ""));
  write("regressions/idx/huge", idx({~0U, 1U << 26}, "ab"));
  write("regressions/idx/cut_in_data", idx({2, 2, 3}, "abcdefghijk"));
  write("regressions/idx/too_long", idx({2, 2, 3}, "abcdefghijklm"));
  write("regressions/idx/little_endian", idx({2U << 24}, "ab"));
}

void write_gz() {
  const std::string plain = idx({2, 2, 3}, "abcdefghijkl"), good = gzip(plain);
  write("seeds/gz/plain.idx", plain);
  write("seeds/gz/images.gz", good);
  write("seeds/gz/members.gz", gzip(plain.substr(0, 10)) + gzip("") + gzip(plain.substr(10)));
  // Behind the ten bytes of the header: what flag 4 announces, then 8, 16 and 2, as `gzip -N` and others write.
  std::string named = good;
  named[3] = 4 + 8 + 16 + 2;
  named.insert(10, std::string("\3\0xyz", 5) + std::string("images\0", 7) + std::string("of digits\0", 10));
  const std::string header = named.substr(0, 32);
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(header.data()), static_cast<uInt>(header.size()));
  named.insert(32, {static_cast<char>(crc & 255), static_cast<char>(crc >> 8 & 255)});
  write("seeds/gz/named.gz", named);

  write("regressions/gz/magic_only.gz", good.substr(0, 2));
  write("regressions/gz/other_method.gz", changed(good, 2, '\7'));
  write("regressions/gz/reserved_flag.gz", changed(good, 3, '\x80'));
  write("regressions/gz/header_sum.gz", changed(named, 32, static_cast<char>(named[32] ^ 1)));
  write("regressions/gz/endless_name.gz", changed(good.substr(0, 10), 3, '\10') + std::string(500, 'n'));
  write("regressions/gz/block_type.gz", changed(good, 10, '\7'));
  write("regressions/gz/data_sum.gz", changed(good, good.size() - 8, static_cast<char>(good[good.size() - 8] ^ 1)));
  write("regressions/gz/length.gz", changed(good, good.size() - 1, '\1'));
  write("regressions/gz/cut_in_header.gz", good.substr(0, 9));
  write("regressions/gz/cut_in_data.gz", good.substr(0, 20));
  write("regressions/gz/cut_in_sum.gz", good.substr(0, good.size() - 4));
  write("regressions/gz/cut_in_second_member.gz", good + gzip("").substr(0, 12));
  write("regressions/gz/damaged_second_member.gz", good + "\x1F\x8C" + gzip("").substr(2));
  write("regressions/gz/padding.gz", good + std::string(8, '\0'));
  write("regressions/gz/longer_second_member.gz", good + gzip("m"));
  write("regressions/gz/bomb.gz", gzip(idx({2, 2, 3}, std::string(1'000'000, '\0'))));
  write("regressions/gz/bomb_that_keeps_its_word.gz", gzip(idx({1, 1'000'000}, std::string(1'000'000, '\0'))));
  write("regressions/gz/promises.gz", gzip(idx({~0U, 1U << 26}, "ab")));
  write("regressions/gz/twice.gz", gzip(good));
  write("regressions/gz/zlib_stream", "\x78\x9C" + good.substr(10));
  write("regressions/gz/zip_archive", "PK\3\4" + good);
}

void write_csv() {
  write("seeds/csv/plain.csv", "x,y,z\n1,-2.5e1,3\n+.5,6.,7\n");
  write("seeds/csv/quoted.csv", "\xEF\xBB\xBF\"a,b\", \"the \"\"c\"\"\"\r\n\"1\" ,2\r\n3,\" 4 \"\r\n\r\n");
  write("seeds/csv/semicolons.csv", "1;2\n3; 4\n");
  write("seeds/csv/tabs.tsv", "a\tb\n1\t1e-60\n");
  write("seeds/csv/blanks.txt", "1 2\n3 4\n");
  write("seeds/csv/one_column.csv", "7");
  write("seeds/csv/table.csv.gz", gzip("x,y\n1,2\n3,4\n"));

  write("regressions/csv/empty_file", "");
  write("regressions/csv/only_mark", "\xEF\xBB\xBF");
  write("regressions/csv/only_header", "x,y\n");
  write("regressions/csv/ragged_short", "x,y,z\n1,2,3\n4,5\n");
  write("regressions/csv/ragged_long", "x,y\n1,2\n3,4,5\n");
  write("regressions/csv/blank_line", "1,2\n\n3,4\n");
  write("regressions/csv/text_cell", "x,y\n1,two\n");
  write("regressions/csv/texts", "town,a,y\nUlm,1,u\nBonn,,v\nUlm,?,u\n");
  write("regressions/csv/empty_cell", "x,y\n1,\n");
  write("regressions/csv/open_quote", "x,y\n1,\"2\n3,4\n");
  write("regressions/csv/text_after_quote", "x,y\n\"1\"0,2\n");
  write("regressions/csv/quoted_line_end", "\"x\ny\",z\n1,2\n");
  write("regressions/csv/second_mark",
        "\xEF\xBB\xBFx,y\n\xEF\xBB\xBF"
        "1,2\n");
  write("regressions/csv/utf16", std::string("\xFF\xFEx\0,\0y\0\n\0", 10));
  write("regressions/csv/nul", std::string("x,y\n1,\0\n", 8));
  write("regressions/csv/only_carriage_returns", "x,y\r1,2\r3,4\r");
  write("regressions/csv/two_carriage_returns", "x,y\r\r\n1,2\r\r\n");
  write("regressions/csv/decimal_comma", "x;y\n1;2,5\n");
  write("regressions/csv/decimal_comma_in_commas", "x,y\n1,5,2\n");
  write("regressions/csv/wrong_delimiter", "the x;y\n1;2\n");
  write("regressions/csv/huge_line", "x\n" + std::string(300, '1') + "\n");
  write("regressions/csv/huge_number", "x\n1e400\n");
  write("regressions/csv/huge_exponent", "x\n1e-99999999999999999999\n");
  write("regressions/csv/not_finite", "x,y\n1,nan\n");
  write("regressions/csv/twice", "x,x\n1,2\n");
  write("regressions/csv/escape_sequence", "x\n\x1B]0;title\x07\n");
  write("regressions/csv/hexadecimal", "x\n0x1p3\n");
  write("regressions/csv/bomb.gz", gzip("x\n" + std::string(100'000, '\n')));
  write("regressions/csv/cut.gz", gzip("x,y\n1,2\n").substr(0, 20));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::cerr << "usage: make_fuzz_files DIRECTORY\n";
    return 2;
  }
  doctest::Context context;
  context.setAsDefaultForAssertsOutOfTestCases();
  root = arguments[1];
  write_checkpoints();
  write_sections();
  write_weights();
  write_safetensors();
  write_idx();
  write_gz();
  write_csv();
}
