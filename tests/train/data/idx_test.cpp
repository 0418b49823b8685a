#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <numeric>
#include <string>
#include <vector>

#include <handrail/core/error.h>
#include <handrail/train/data/idx.h>
#include <handrail/train/data/mnist.h>

#include "support/check_throws.h"
#include "support/files.h"

using namespace handrail;
using namespace handrail::train;

namespace {

std::string header(std::initializer_list<std::uint32_t> dims, char type = 0x08) {
  std::string text{0, 0, type, static_cast<char>(dims.size())};
  for (const std::uint32_t dim : dims)
    for (const int shift : {24, 16, 8, 0}) text += static_cast<char>(dim >> shift & 255);
  return text;
}

// Elements 0, 1, 2, ...
std::string data(std::size_t size) {
  std::string text(size, '\0');
  std::iota(text.begin(), text.end(), '\0');
  return text;
}

void rejects(const std::string& bytes, const auto&... parts) {
  const TempDir dir;
  const auto file = dir.write("x.idx", bytes);
  check_throws<DataError>([&] { read_idx(file); }, concat("read_idx: '", file.string(), "'"), parts...);
}

// Whether it loads; anything but a DataError fails the test.
template <class F>
bool loads(F&& read) {
  try {
    read();
    return true;
  } catch (const DataError&) {
    return false;
  }
}

struct MnistFiles {
  std::string train_images = header({3, 28, 28}) + data(3 * 784), train_labels = header({3}) + "\1\2\3";
  std::string test_images = header({2, 28, 28}) + data(2 * 784), test_labels = header({2}) + "\4\x09";

  void write(const TempDir& dir) const {
    dir.write("train-images-idx3-ubyte", train_images);
    dir.write("train-labels-idx1-ubyte.gz", gzip(train_labels));
    dir.write("t10k-images-idx3-ubyte.gz", gzip(test_images));
    dir.write("t10k-labels-idx1-ubyte", test_labels);
  }
};

}  // namespace

TEST_CASE("read_idx reads 1 to 4 dimensions, plain and compressed") {
  const TempDir dir;
  for (const auto& [dims, shape] : {std::pair(header({6}), Shape{6}),
                                    {header({2, 3}), Shape{2, 3}},
                                    {header({1, 2, 3}), Shape{1, 2, 3}},
                                    {header({3, 1, 2, 1}), Shape{3, 1, 2, 1}}}) {
    for (const auto& bytes : {dims + data(6), gzip(dims + data(6))}) {
      const IdxArray array = read_idx(dir.write("x", bytes));
      CHECK(array.shape == shape);
      CHECK(array.bytes == std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5});
    }
  }
}

TEST_CASE("read_idx reads files that are larger than its buffers") {
  const TempDir dir;
  const std::string content = data(5'000'000);
  for (const auto& bytes : {header({5, 1'000'000}) + content, gzip(header({5, 1'000'000}) + content)}) {
    const IdxArray array = read_idx(dir.write("x", bytes));
    CHECK(std::string(array.bytes.begin(), array.bytes.end()) == content);
  }
}

TEST_CASE("read_idx reads gzip files of several members") {
  const TempDir dir;
  const auto file = dir.write("x.gz", gzip(header({4})) + gzip("") + gzip(std::string("\0\1\2", 3)) + gzip("\3"));
  CHECK(read_idx(file).bytes == std::vector<std::uint8_t>{0, 1, 2, 3});
}

TEST_CASE("read_idx says why a file cannot be opened") {
  const TempDir dir;
  check_throws<DataError>([&] { read_idx(dir.path() / "none"); }, "read_idx", "none'", "cannot open the file",
                          "No such file");
  check_throws<DataError>([&] { read_idx(dir.path()); }, dir.path().string(), "want a file; got a directory");
}

TEST_CASE("read_idx rejects other formats and says what it found") {
  rejects("", "got 0 bytes: the file is empty");
  rejects("<html>", "byte 0", "starts with the bytes 00 00", "got 3c 68 74 6d");
  rejects(gzip("<html>"), "byte 0", "got 3c 68 74 6d");
  rejects(std::string("\0\1\x08\1", 4), "byte 0", "got 00 01 08 01");
  rejects(gzip(gzip(header({1}) + "x")), "byte 0", "got 1f 8b");
}

TEST_CASE("read_idx names an element type it does not read") {
  for (const auto& [code, type] :
       {std::pair('\x09', "int8"), {'\x0B', "int16"}, {'\x0C', "int32"}, {'\x0D', "float"}, {'\x0E', "double"}})
    rejects(header({1}, code) + "x", "byte 2: want elements of type unsigned byte", "type ", type);
  rejects(header({1}, '\x0A') + "x", "got 0a, type unknown");
}

TEST_CASE("read_idx rejects dimensions that no array can have") {
  rejects(header({}), "byte 3: want 1 to 4 dimensions; got 0");
  rejects(header({1, 1, 1, 1, 1}) + "x", "byte 3: want 1 to 4 dimensions; got 5");
  rejects(header({2, 0, 3}), "byte 8: want dimensions of at least 1; got 0");
  rejects(header({~0U, ~0U, ~0U, ~0U}), "byte 4: want dimensions that can be addressed");
}

TEST_CASE("read_idx names the bytes wanted and found in a file of the wrong length") {
  const auto dims = header({60000, 28, 28});
  rejects(dims + data(984), "want 47040016 bytes for [60000, 28, 28]; got 1000: the file is truncated");
  rejects(gzip(dims + data(984)), "want 47040016 bytes for [60000, 28, 28]; got 1000: the file is truncated");
  rejects(header({2}) + "abc", "want 10 bytes for [2]; got 11: bytes follow the data");
  rejects(gzip(header({2}) + "abc"), "want 10 bytes for [2]; got more: bytes follow the data");
  rejects(header({2, 3}).substr(0, 11), "want 12 bytes of header for 2 dimensions; got 11: the file is truncated");
}

TEST_CASE("read_idx rejects damaged gzip data") {
  const std::string good = gzip(header({100}) + data(100));
  auto bad_sum = good;
  bad_sum[good.size() - 5] ^= 1;
  rejects(bad_sum, "byte ", "the gzip data is damaged: incorrect data check", "download or copy the file again");
  auto bad_length = good;
  bad_length[good.size() - 1] ^= 1;
  rejects(bad_length, "the gzip data is damaged: incorrect length check");
  rejects(good.substr(0, good.size() - 1), concat("byte ", good.size() - 1), "the gzip data ends early");
  rejects(good + "x", concat("byte ", good.size()), "bytes that are not gzip data follow");
}

TEST_CASE("read_idx allocates what it reads, not what a header promises") {
  // 2^57 bytes: to reserve them would throw something else.
  const auto dims = header({1U << 28, 1U << 29});
  rejects(dims, "got 12: the file is truncated");
  rejects(gzip(header({1U << 16, 1U << 15})), "got 12: the file is truncated");
}

TEST_CASE("read_idx inflates no more than it may") {
  // The second bomb keeps the word of its header: only a limit keeps it from 20 MB.
  rejects(gzip(header({1U << 28, 1U << 29})), "want at most 4294967296 bytes after decompression",
          "got a header for 144115188075855884", "raise max_inflated_bytes");
  const TempDir dir;
  const auto bomb = dir.write("bomb.gz", gzip(header({20'000'000}) + std::string(20'000'000, '\0')));
  CHECK(std::filesystem::file_size(bomb) < 50'000);
  check_throws<DataError>([&] { read_idx(bomb, 20'000'007); }, "want at most 20000007 bytes", "header for 20000008");
  CHECK(read_idx(bomb, 20'000'008).bytes.size() == 20'000'000);
  check_throws<DataError>([&] { load_idx(bomb, bomb, {.max_inflated_bytes = 100}); }, "want at most 100 bytes");
}

TEST_CASE("read_idx inflates no more than the header implies") {
  auto bomb = gzip(header({2}) + std::string(20'000'000, '\0'));
  CHECK(bomb.size() < 50'000);
  bomb[bomb.size() - 5] ^= 1;  // never reached
  rejects(bomb, "want 10 bytes for [2]; got more");
}

TEST_CASE("read_idx rejects every truncation of a file") {
  const TempDir dir;
  const std::string plain = header({2, 3}) + data(6);
  for (const auto& bytes : {plain, gzip(plain)}) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CAPTURE(size);
      CHECK_FALSE(loads([&] { read_idx(dir.write("x", bytes.substr(0, size))); }));
    }
  }
}

TEST_CASE("read_idx loads or rejects a file with any flipped byte") {
  const TempDir dir;
  const std::string plain = header({2, 3}) + data(6);
  for (const auto& bytes : {plain, gzip(plain)}) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (const int mask : {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF}) {
        auto flipped = bytes;
        flipped[i] = static_cast<char>(flipped[i] ^ mask);
        CAPTURE(i);
        CAPTURE(mask);
        CHECK_NOTHROW(loads([&] { read_idx(dir.write("x", flipped)); }));
      }
    }
  }
}

TEST_CASE("load_idx pairs images with labels") {
  const TempDir dir;
  const auto images = dir.write("images", header({2, 2, 3}) + data(12));
  const auto labels = dir.write("labels", header({2}) + "\7\xFF");
  const ByteDataset samples = load_idx(images, labels);
  CHECK(samples.input_shape() == Shape{2, 3});
  CHECK(load_idx(images, labels, {.flatten = true}).input_shape() == Shape{6});
  const Batch batch = first_samples(samples, 2);
  CHECK(batch.inputs.shape() == Shape{2, 2, 3});
  CHECK(batch.inputs.at({1, 1, 2}) == doctest::Approx(11.0 / 255));
  CHECK(batch.targets.at({0}) == 7);
  CHECK(batch.targets.at({1}) == 255);
}

TEST_CASE("load_idx rejects files that do not belong together") {
  const TempDir dir;
  const auto images = dir.write("images", header({2, 2, 2}) + data(8));
  const auto labels = dir.write("labels", header({2}) + data(2));
  const auto three = dir.write("three", header({3}) + data(3));
  check_throws<DataError>([&] { load_idx(images, three); }, "want as many images as labels; got 2 in", "and 3 in",
                          "three'");
  check_throws<DataError>([&] { load_idx(labels, labels); }, "labels'", "want images [N, ...]; got [2]");
  check_throws<DataError>([&] { load_idx(images, images); }, "images'", "want labels [N]; got [2, 2, 2]");
}

TEST_CASE("load_idx names the row of a label out of range") {
  const TempDir dir;
  const auto images = dir.write("images", header({3, 1}) + data(3));
  const auto labels = dir.write("labels", header({3}) + data(3));
  CHECK(load_idx(images, labels, {.classes = 3}).size() == 3);
  check_throws<DataError>([&] { load_idx(images, labels, {.classes = 2}); },
                          "labels' row 2: want a label below 2; got 2");
  try {
    load_idx(images, labels, {.classes = 2});
  } catch (const DataError& error) {
    CHECK(error.row == 2);
  }
  for (const int classes : {0, -1, 257})
    check_throws<OptionError>([&] { load_idx(images, labels, {.classes = classes}); }, "want classes in [1, 256]",
                              std::to_string(classes));
}

TEST_CASE("load_mnist reads the four files, plain and compressed, as flat samples") {
  const TempDir dir;
  MnistFiles{}.write(dir);
  const Mnist mnist = load_mnist(dir.path());
  CHECK(mnist.train.size() == 3);
  CHECK(mnist.test.size() == 2);
  CHECK(mnist.train.input_shape() == Shape{784});
  CHECK(mnist.test.input_shape() == Shape{784});
  const Batch batch = first_samples(mnist.test, 2);
  CHECK(batch.targets.at({1}) == 9);
  CHECK(batch.inputs.at({0, 783}) == doctest::Approx(783 % 256 / 255.0));
}

TEST_CASE("load_mnist prefers the plain file") {
  const TempDir dir;
  MnistFiles{}.write(dir);
  dir.write("train-images-idx3-ubyte.gz", "damaged");
  CHECK(load_mnist(dir.path()).train.size() == 3);
}

TEST_CASE("load_mnist lists all files that are missing") {
  const TempDir dir;
  MnistFiles{}.write(dir);
  std::filesystem::remove(dir.path() / "train-images-idx3-ubyte");
  std::filesystem::remove(dir.path() / "t10k-images-idx3-ubyte.gz");
  check_throws<DataError>([&] { load_mnist(dir.path()); }, dir.path().string(),
                          "missing train-images-idx3-ubyte, t10k-images-idx3-ubyte");
  check_throws<DataError>([&] { load_mnist(dir.path() / "none"); }, "want a directory", "none' is not one");
  check_throws<DataError>([&] { load_mnist(dir.path() / "t10k-labels-idx1-ubyte"); }, "want a directory");
}

TEST_CASE("load_mnist names the row of a label that is not a digit") {
  const TempDir dir;
  MnistFiles{.test_labels = header({2}) + "\1\x0A"}.write(dir);
  check_throws<DataError>([&] { load_mnist(dir.path()); },
                          "t10k-labels-idx1-ubyte' row 1: want a label below 10; got 10");
}

TEST_CASE("load_mnist rejects images of two sizes") {
  const TempDir dir;
  MnistFiles{.test_images = header({2, 14, 14}) + data(2 * 196)}.write(dir);
  check_throws<DataError>([&] { load_mnist(dir.path()); }, "want images of the same size in both sets; got [784]",
                          "[196]");
}
