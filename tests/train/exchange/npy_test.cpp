#include <handrail/train/exchange/npy.h>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include <handrail/core/error.h>

#include "support/check_throws.h"
#include "support/files.h"
#include "support/tensors.h"

using namespace handrail;
using namespace handrail::train;

namespace {

template <class Number>
std::string bytes_of(const std::vector<Number>& numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(Number)};
}

// A file of version 1.0 with that header.
std::string npy(const std::string& header, const std::string& elements) {
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + '\0' + header + elements;
}
std::string header_of(const std::string& type, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

Tensor read(const std::string& bytes) {
  const TempDir dir;
  return load_npy(dir.write("file.npy", bytes));
}
void check_refused(const std::string& bytes, const std::string& want) {
  check_throws<DataError>([&] { read(bytes); }, "load_npy: '", want);
}

// An archive with one changed byte, or without its end.
void check_archive_refused(const std::string& bytes, const std::string& want) {
  const TempDir dir;
  const auto path = dir.write("file.npz", bytes);
  check_throws<DataError>([&] { load_npz(path); }, "load_npz: '", want);
}
std::string changed(std::string bytes, std::size_t at, const std::string& by) {
  return bytes.replace(at, by.size(), by);
}

}  // namespace

TEST_CASE("tensors of every rank that save_npy writes come back to the bit") {
  const TempDir dir;
  const auto path = dir.path() / "file.npy";
  for (const Tensor& tensor : {Tensor::scalar(3), Tensor({3}, {1, -0.0F, 1e-40F}), Tensor({2, 0}),
                               Tensor({2, 3}, {1, 2, 3, 4, 5, 6}), Tensor::ones({2, 1, 3, 2})}) {
    save_npy(path, tensor);
    CHECK(same_bits(load_npy(path), tensor));
  }
}

TEST_CASE("a file of save_npy is the bytes that NumPy describes, with elements at a multiple of 64") {
  const TempDir dir;
  save_npy(dir.path() / "file.npy", Tensor({1, 2}, {1, 2}));
  const std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  CHECK(dir.read("file.npy") ==
        npy(text + std::string(128 - 10 - text.size() - 1, ' ') + "\n", bytes_of<float>({1, 2})));
}

TEST_CASE("load_npy reads other types, orders and versions") {
  CHECK(same_bits(read(npy(header_of("<f8", "(2,)"), bytes_of<double>({0.1, -2}))), Tensor({2}, {0.1F, -2})));
  CHECK(same_bits(read(npy(header_of("<i8", "(1,)"), bytes_of<std::int64_t>({-3}))), Tensor({1}, {-3})));
  CHECK(same_bits(read(npy(header_of("|u1", "(2,)"), bytes_of<std::uint8_t>({0, 255}))), Tensor({2}, {0, 255})));
  CHECK(same_bits(read(npy(header_of("|b1", "()"), "\1")), Tensor::scalar(1)));
  const std::string six = bytes_of<float>({1, 2, 3, 4, 5, 6});
  CHECK(same_bits(read(npy(header_of("<f4", "(2, 3)", "True"), six)), Tensor({2, 3}, {1, 3, 5, 2, 4, 6})));
  CHECK(same_bits(read(npy(header_of("<f4", "(1, 3, 2)", "True"), six)), Tensor({1, 3, 2}, {1, 4, 2, 5, 3, 6})));
  const std::string header = header_of("<f4", "(1,)"), one = bytes_of<float>({1});
  for (const char version : {'\2', '\3'}) {
    const std::string start = "\x93NUMPY" + std::string{version, '\0', static_cast<char>(header.size()), 0, 0, 0};
    CHECK(same_bits(read(start + header + one), Tensor({1}, {1})));
  }
}

TEST_CASE("load_npy refuses every malformed file and says what is wrong") {
  const std::string one = bytes_of<float>({1}), good = npy(header_of("<f4", "(1,)"), one);
  check_refused("", "want a file of numpy.save");
  check_refused("PK\3\4", "want a file of numpy.save");
  check_refused(changed(good, 6, "\4"), "want version 1.0, 2.0 or 3.0; got 4.0");
  check_refused(good.substr(0, 9), "the file is cut");
  check_refused(good.substr(0, 40), "the file is cut");
  check_refused(good + "x", "want 4 bytes of elements for shape [1]; got 5");
  check_refused(npy(header_of(">f4", "(1,)"), one), "got dtype '>f4'");
  check_refused(npy(header_of("|O", "(1,)"), one), "got dtype '|O'");
  check_refused(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", one), "records");
  check_refused(npy(header_of("<f4", "(1)"), one), "want ,");
  check_refused(npy(header_of("<f4", "(-1,)"), one), "want a dimension");
  check_refused(npy(header_of("<f4", "(99999999999999999999,)"), one), "want a dimension");
  check_refused(npy(header_of("<f4", "(4294967296, 4294967296)"), one), "elements");
  check_refused(npy(header_of("<f4", "(1, 1, 1, 1, 1)"), one), "want at most 4 dimensions");
  check_refused(npy(header_of("<f4", "(1,)", "0"), one), "want True or False");
  check_refused(npy("{'descr': '<f4', 'shape': (1,), }", one), "got no such");
  check_refused(npy("{'descr': '<f4', 'descr': '<f4', }", one), "each once");
  check_refused(npy(header_of("<f4", "(1,)") + "x", one), "want the end");
  check_refused(npy(header_of("<i4", "(1,)"), bytes_of<std::int32_t>({(1 << 24) + 1})), "want numbers that a float");
}

TEST_CASE("tensors that save_npz writes come back to the bit, by their names") {
  const TempDir dir;
  const NamedTensors tensors{{"0.weight", Tensor({2, 2}, {1, 2, 3, 4})}, {"\xC3\xA4", Tensor::scalar(5)}};
  save_npz(dir.path() / "file.npz", tensors);
  const NamedTensors read = load_npz(dir.path() / "file.npz");
  REQUIRE(read.size() == 2);
  for (const auto& [name, tensor] : tensors) CHECK(same_bits(read.at(name), tensor));
  save_npz(dir.path() / "none.npz", {});
  CHECK(load_npz(dir.path() / "none.npz").empty());
  check_throws<OptionError>([&] { save_npz(dir.path() / "file.npz", {{"a\n", Tensor::scalar(1)}}); }, "UTF-8");
}

TEST_CASE("load_npz refuses a damaged archive and names the member") {
  const TempDir dir;
  save_npz(dir.path() / "file.npz", {{"a", Tensor({2}, {1, 2})}, {"b", Tensor({2}, {3, 4})}});
  const std::string good = dir.read("file.npz");
  const std::size_t central = good.find("PK\1\2");
  check_archive_refused("", "no directory at its end");
  check_archive_refused(good.substr(0, good.size() - 1), "no directory at its end");
  check_archive_refused(good + "x", "no directory at its end");
  check_archive_refused("x" + good, "its directory is not where it should be");
  check_archive_refused(changed(good, 100, "x"), "member 'a.npy': its checksum differs");
  check_archive_refused(changed(good, central + 8, "\1"), "it is encrypted");
  check_archive_refused(changed(good, central + 10, "\x0C"), "got method 12");
  check_archive_refused(changed(good, central + 10, "\x08"), "does not inflate");
  check_archive_refused(changed(good, central + 20, "\xFF\xFF\xFF\xFF"), "it needs ZIP64");
  check_archive_refused(changed(good, central + 24, "\xFF\xFF\xFF\x7F"), "its sizes contradict each other");
  check_archive_refused(changed(changed(good, central + 10, "\x08"), central + 24, "\xFF\xFF\xFF\x7F"),
                        "it cannot inflate to the size that it gives");
  check_archive_refused(changed(good, central + 46, "x"), "it has another name at its place");
  const std::size_t second = good.find("PK\1\2", central + 4);
  check_archive_refused(changed(changed(good, second + 42, std::string(4, '\0')), second + 46, "a"), "overlaps");
}
