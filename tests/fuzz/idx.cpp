// A plain IDX file.

#include <algorithm>
#include <vector>

#include <handrail/train/data/idx.h>

#include "target.h"

using namespace handrail;
using namespace handrail::train;

namespace {

// A file of that shape with ones in it.
std::string idx(const Shape& shape) {
  std::string bytes{0, 0, 8, static_cast<char>(shape.rank())};
  for (const Index dim : shape.dims())
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(dim >> shift & 255);
  return bytes.append(static_cast<std::size_t>(shape.size()), '\1');
}

void read(std::string_view bytes) {
  static fuzz::MemoryFile file, other_file;
  if (bytes.starts_with("\x1F\x8B")) fail<DataError>("compressed files are for the target gz");
  const auto& path = file.write(bytes);
  const IdxArray array = read_idx(path);
  fuzz::require(std::ssize(array.bytes) == array.shape.size(), "its bytes do not fill its shape");
  const auto is_byte = [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); };
  fuzz::require(std::ranges::equal(array.bytes, bytes.substr(bytes.size() - array.bytes.size()), is_byte),
                "its bytes are not those of the file");

  // Labels get images, images get labels.
  const Index count = array.shape[0];
  const bool are_labels = array.shape.rank() == 1;
  const auto& other = other_file.write(idx(are_labels ? Shape{count, 1} : Shape{count}));
  const ByteDataset samples = are_labels ? load_idx(other, path) : load_idx(path, other);
  fuzz::require(samples.size() == count, "a sample was lost");
  const std::vector<Index> rows{0, count - 1};
  const Batch batch{.inputs = Tensor(samples.input_shape().batch_of(2)), .targets = Tensor({2})};
  samples.gather(rows, batch);
  fuzz::require(batch.targets.at({1}) == (are_labels ? array.bytes.back() : 1), "a label is another");
  fuzz::require(std::ranges::all_of(batch.inputs.span(), [](Scalar x) { return x >= 0 && x <= 1; }),
                "a byte is not in [0, 1]");
}

}  // namespace

// Two samples as floats are 8 bytes for each of the file.
const fuzz::Target fuzz::target{.read = read, .memory = {.fixed = 128 << 10, .per_byte = 16}};
