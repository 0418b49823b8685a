#include <doctest/doctest.h>

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include <handrail/core/error.h>
#include <handrail/core/random.h>
#include <handrail/train/checkpoints/checkpoint.h>
#include <handrail/train/checkpoints/internal/checkpoint_codec.h>

#include <support/check_throws.h>
#include <support/files.h>
#include <support/training_state.h>

namespace {

using namespace handrail;
using namespace handrail::train;

std::string file_of(const std::vector<Section>& sections) {
  std::string file = container_header(sections, 0);
  for (const Section& section : sections) file += section.bytes;
  return file;
}

TrainingState decode(std::string_view file) { return decode_state(unpack(file, "test"), "test"); }

template <class... Parts>
void check_refused(std::string_view file, const Parts&... parts) {
  check_throws<CheckpointError>([&] { decode(file); }, std::string("test: "), parts...);
}
template <class... Parts>
void check_refused(const std::vector<Section>& sections, const Parts&... parts) {
  check_refused(file_of(sections), parts...);
}

// Quiet, for loops of thousands.
bool is_refused(std::string_view file) {
  try {
    decode(file);
    return false;
  } catch (const CheckpointError&) {
    return true;
  }
}

Section& section(std::vector<Section>& sections, std::string_view name) {
  return *std::ranges::find(sections, name, &Section::name);
}

template <class T>
void put(std::string& bytes, std::size_t at, T value) {
  REQUIRE(at + sizeof value <= bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

// Makes the checksum of a changed header right again.
void seal(std::string& file, std::size_t sections) {
  const std::size_t end = 32 + sections * 36;
  put(file, end,
      static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(file.data()), static_cast<uInt>(end))));
}

}  // namespace

TEST_CASE("every truncation of a checkpoint is refused, and so are extra bytes") {
  const std::string file = file_of(encode(full_state()));
  CHECK(file.size() > 1000);
  CHECK(decode(file).progress.step == 16);
  for (std::size_t size = 0; size < file.size(); ++size) CHECK_MESSAGE(is_refused(file.substr(0, size)), size);
  check_refused(file + '\0', "want ", " bytes; got ");
  check_refused(file + file);
  check_refused("", "truncated");
}

TEST_CASE("every flip of a single bit of a checkpoint is refused") {
  std::string file = file_of(encode(full_state()));
  std::size_t accepted = 0;
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    const char flip = static_cast<char>(1 << (bit % 8));
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ flip);
    accepted += is_refused(file) ? 0U : 1U;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ flip);
  }
  CHECK(accepted == 0);
  CHECK_FALSE(is_refused(file));
}

TEST_CASE("the error about a file that is no checkpoint says what it is") {
  const TempDir dir;
  const auto refused = [&](const std::string& path, const char* why) {
    check_throws<CheckpointError>([&] { load_checkpoint(path); }, path, why);
  };
  refused(dir.path() / "missing", "No such file or directory");
  refused(dir.path(), "want a regular file");
  refused("/dev/zero", "want a regular file");
  REQUIRE(mkfifo((dir.path() / "pipe").c_str(), 0600) == 0);
  refused(dir.path() / "pipe", "want a regular file");
  refused(dir.write("text", "not a checkpoint"), "its first 8 bytes are different");
  refused(dir.write("empty", ""), "truncated");
  std::string file = file_of(encode(full_state()));
  file.insert(4, 1, '\r');  // as a conversion of line ends would
  refused(dir.write("converted", file), "its first 8 bytes are different");
}

TEST_CASE("a newer format is refused with its number, unless it says that this reader can read it") {
  std::vector<Section> sections = encode(full_state());
  sections.push_back({"from_the_future", "?"});
  std::string file = file_of(sections);
  put(file, 8, std::uint32_t{7});
  seal(file, sections.size());
  CHECK_FALSE(is_refused(file));
  put(file, 12, std::uint32_t{6});
  seal(file, sections.size());
  check_refused(file, "written in format 7", "reader of format 6", "reads 3; use a newer version");
}

TEST_CASE("sections with gaps or overlaps are refused behind a correct checksum") {
  const std::vector<Section> sections{{"a", "123"}, {"b", "45"}};
  const std::string good = file_of(sections);
  CHECK(unpack(good, "").sections.at("b") == "45");
  const auto changed = [&](std::size_t at, auto value) {
    std::string file = good;
    put(file, at, value);
    seal(file, sections.size());
    return file;
  };
  constexpr std::size_t first = 32, second = first + 36, offset = 16, length = 24;
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{109}, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    check_refused(changed(first + offset, value), "overlap or leave gaps");
    check_refused(changed(second + offset, value), "overlap or leave gaps");
    check_refused(changed(first + length, value), "overlap or leave gaps");
  }
  check_refused(changed(second + length, std::uint64_t{3}), "overlap or leave gaps");
  check_refused(changed(second + length, std::uint64_t{1}), "1 bytes belong to no section");
  check_refused(changed(20, std::uint32_t{1}), "checksum of the header");
  check_refused(changed(20, ~std::uint32_t{0}), "claims 4294967295 sections");
  check_refused(changed(24, ~std::uint64_t{0}), "want 18446744073709551615 bytes");
  check_refused(std::vector<Section>{{"a", "1"}, {"a", "1"}}, "two sections 'a'");
  check_refused(std::vector<Section>(65, {"a", ""}), "65 sections");
}

TEST_CASE("sizes that exceed the bytes left are refused before memory is allocated for them") {
  // Behind the mark of the byte order: a number of entries, then the first name, each with its size first.
  for (const std::uint64_t size : {std::uint64_t{1} << 33, std::uint64_t{1} << 62, ~std::uint64_t{0}})
    for (const char* name : {"parameters", "buffers", "optimizer", "guards"})
      for (const std::size_t at : {std::size_t{1}, std::size_t{9}}) {
        std::vector<Section> sections = encode(full_state());
        put(section(sections, name).bytes, at, size);
        check_refused(sections, concat("section '", name, "'"), concat("claims ", size, " elements"), " bytes left");
      }
}

TEST_CASE("impossible tensors are refused") {
  // Of "parameters": byte order, count, size of the name, "hidden.bias", bytes of an element, rank, dimensions.
  constexpr std::size_t element = 1 + 8 + 8 + 11, rank = element + 1, dim = rank + 1;
  const auto refused = [&](std::size_t at, auto value, const char* why) {
    std::vector<Section> sections = encode(full_state());
    put(section(sections, "parameters").bytes, at, value);
    check_refused(sections, "section 'parameters'", why);
  };
  refused(element, static_cast<std::uint8_t>(12 - sizeof(Scalar)), "handrail_f64 reads 8");
  refused(rank, std::uint8_t{5}, "want rank <= 4");
  refused(rank, std::uint8_t{255}, "bytes left");
  refused(dim, std::int64_t{-1}, "want dimensions >= 0");
  refused(dim, std::int64_t{1} << 62, "want at most");
  refused(dim, std::int64_t{1} << 40, "bytes left");
  refused(dim, std::int64_t{4}, "");
}

TEST_CASE("contents that no state can have are refused behind correct checksums") {
  const auto refused = [](const char* name, auto&& change, const char* why) {
    std::vector<Section> sections = encode(full_state());
    change(section(sections, name).bytes);
    check_refused(sections, why);
  };
  refused(
      "guards", [](std::string& bytes) { bytes += '\0'; }, "there are 1 bytes too many");
  refused(
      "guards", [](std::string& bytes) { bytes.clear(); }, "0 bytes left");
  refused(
      "guards", [](std::string& bytes) { bytes[0] = 0; }, "not little-endian");
  refused(
      "best", [](std::string& bytes) { bytes[1] = 2; }, "want true or false");
  refused(
      "buffers", [](std::string& bytes) { bytes.replace(bytes.find("norm.none"), 9, "norm.mean"); },
      "'norm.mean' twice");

  std::vector<Section> sections = encode(full_state());
  sections.erase(sections.begin() + 2);
  check_refused(sections, "has no section 'optimizer'");
}

TEST_CASE("what is refused when a checkpoint is written is refused when one is read, too") {
  const TempDir dir;
  TrainingState state = full_state();
  state.parameters.at("hidden.bias").mutable_data()[1] = 1 / Scalar(0);
  const auto path = dir.write("a", file_of(encode(state)));
  check_throws<CheckpointError>([&] { load_checkpoint(path); }, path.string(), "parameter 'hidden.bias'",
                                "element 1 is inf");
  state = full_state();
  state.progress.batch = -1;
  const auto other = dir.write("b", file_of(encode(state)));
  check_throws<CheckpointError>([&] { load_checkpoint(other); }, other.string(), "counts >= 0");
}

TEST_CASE("a huge file of another kind is refused before memory is asked for it") {
  const TempDir dir;
  constexpr std::uintmax_t huge = std::uintmax_t{1} << 43;  // with holes; more than the memory there is
  const auto other = dir.write("other", "no checkpoint");
  std::filesystem::resize_file(other, huge);
  check_throws<CheckpointError>([&] { load_checkpoint(other); }, "its first 8 bytes are different");
  const auto grown = dir.write("grown", file_of(encode(full_state())));
  std::filesystem::resize_file(grown, huge);
  check_throws<CheckpointError>([&] { load_checkpoint(grown); }, "the file is damaged", "got 8796093022208");
  check_throws<CheckpointError>([&] { read_model(grown); }, "the file is damaged");
}

TEST_CASE("numbers that no run writes are refused behind correct checksums") {
  const auto refused = [](auto&& change, const char* why) {
    TrainingState state = full_state();
    change(state);
    check_refused(encode(state), why);
  };
  const double nan = std::nan(""), inf = HUGE_VAL;
  for (const double lr : {nan, inf, -0.1}) refused([&](auto& s) { s.decisions.lr = lr; }, "want a finite lr >= 0");
  for (const double factor : {nan, inf, -0.5, 1.5})
    refused([&](auto& s) { s.progress.lr_factor = factor; }, "want an lr_factor in [0, 1]");
  for (const double seconds : {nan, inf, -1.0})
    refused([&](auto& s) { s.progress.seconds = seconds; }, "want finite seconds >= 0");
  for (const double step : {nan, inf, -2.0, 0.5, 0x1p60})
    refused([&](auto& s) { s.guards["evaluated_at"] = {step}; }, "want the step of the last evaluation");
  refused([&](auto& s) { s.guards["healthy_below"] = {nan}; }, "want a limit of healthy losses");
  refused([&](auto& s) { s.guards["trained"] = {1, nan}; }, "want 0 or 1 for a parameter");
  refused([&](auto& s) { s.best->value = nan; }, "want a finite value of the best evaluation");
  refused([&](auto& s) { s.best->step = -1; }, "want counts >= 0 of the best evaluation; got -1");
}

TEST_CASE("any content behind correct checksums either loads or is refused") {
  const std::vector<Section> good = encode(full_state());
  Rng rng(1);
  std::size_t refused = 0;
  constexpr std::size_t trials = 4000;
  for (std::size_t trial = 0; trial < trials; ++trial) {
    std::vector<Section> sections = good;
    std::string& bytes = sections[rng.below(sections.size())].bytes;
    const std::size_t at = rng.below(bytes.size());
    for (std::size_t i = at; i < std::min(bytes.size(), at + 1 + rng.below(8)); ++i)
      bytes[i] = static_cast<char>(trial % 2 == 0 ? 0xFF : rng.below(256));
    refused += is_refused(file_of(sections)) ? 1U : 0U;
  }
  CHECK(refused > trials / 10);
  CHECK(refused < trials);
}
