#pragma once

#include <filesystem>

#include <handrail/train/data/dataset.h>

namespace handrail::train {

/// Handwritten digits: samples [784], the rows of 28 x 28 pixels one after the other; labels 0 to 9.
struct Mnist {
  ByteDataset train, test;
};

/// Reads the four files of MNIST, or of a set in its form such as Fashion-MNIST, from a directory:
/// {train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte, each as it is or with .gz behind
/// its name; the plain one is taken when both are there.
/// Throws DataError listing the files that are missing, when one is damaged (see read_idx), when the
/// counts or the sizes of the images disagree, or naming the row of a label that is not below 10.
Mnist load_mnist(const std::filesystem::path& directory);

}  // namespace handrail::train
