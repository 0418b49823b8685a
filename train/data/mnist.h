#pragma once

#include <filesystem>

#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// Handwritten digits. The input of a sample is [784], the rows of its 28 x 28 pixels one after the other; its target
/// is a class index from 0 to 9.
struct Mnist {
  ByteDataset train, test;
};

/// Reads the four files of MNIST, or of a data set of the same form such as Fashion-MNIST, from a directory:
/// {train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte. Each may be plain or compressed, with .gz at the
/// end of its name; the plain one is read when both are there.
/// Throws DataError, listing them, when files are missing; as load_idx does; and when the images of the two sets have
/// different sizes.
Mnist load_mnist(const std::filesystem::path& directory);

}  // namespace handrail::train
