#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include <handrail/core/shape.h>
#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// Unsigned bytes in row-major order.
struct IdxArray {
  Shape shape;
  std::vector<std::uint8_t> bytes;
};

/// Reads an IDX file, the format of MNIST, plain or compressed by gzip: unsigned bytes in 1 to 4
/// dimensions. The format: LeCun, Cortes, Burges 1998, "The MNIST database of handwritten digits".
/// Throws DataError naming the file and the bytes wanted and found: a file that cannot be read, is of
/// another format or element type, is damaged, truncated or too long. Memory follows what has been
/// read, never what a header merely promises.
IdxArray read_idx(const std::filesystem::path& path);

struct IdxOptions {
  std::optional<int> classes = {};  // labels must be below it, 1 to 256; absent: any label
  bool flatten = false;             // samples [28, 28] become [784]
};

/// The samples of one IDX file [N, ...] with the labels of another one [N].
/// Throws DataError when either cannot be read, their counts differ, or naming the row of a label that
/// is not below `classes`; OptionError on options out of range.
ByteDataset load_idx(const std::filesystem::path& images_path, const std::filesystem::path& labels_path,
                     const IdxOptions& options = {});

}  // namespace handrail::train
