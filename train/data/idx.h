#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include <handrail/core/shape.h>
#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// An array of unsigned bytes, in row-major order.
struct IdxArray {
  Shape shape;
  std::vector<std::uint8_t> bytes;
};

/// Reads an IDX file of unsigned bytes in 1 to 4 dimensions, plain or compressed by gzip. The format is that of MNIST:
/// LeCun, Cortes, Burges 1998, "The MNIST database of handwritten digits". At most as much memory as the bytes that
/// were read is allocated ahead of them, whatever the header says. Throws DataError, naming the file and the bytes
/// wanted and found, when it cannot be read, is of another format or element type, is damaged, is truncated, or is too
/// long.
IdxArray read_idx(const std::filesystem::path& path);

struct IdxOptions {
  std::optional<int> classes = {};  // in [1, 256]; labels must be below it. absent: every label is accepted
  bool flatten = false;             // true: the inputs of a sample become a vector, [784] instead of [28, 28]
};

/// Reads the images of one IDX file, [N, ...], and their labels from another one, [N]. Throws OptionError on options
/// out of range; DataError as read_idx does, when the arrays have other shapes or the counts differ, and, naming the
/// row, when a label is not below `classes`.
ByteDataset load_idx(const std::filesystem::path& images_path, const std::filesystem::path& labels_path,
                     const IdxOptions& options = {});

}  // namespace handrail::train
