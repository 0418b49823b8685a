#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <handrail/nn/module.h>
#include <handrail/optim/optimizer.h>

namespace handrail::train {

/// A copy of the buffers of a model, which can be restored. Memory is allocated by the constructor only.
class BufferCopy {
 public:
  explicit BufferCopy(const std::vector<Buffer>& buffers) : buffers_(buffers) {
    for (const Buffer& buffer : buffers_) copies_.push_back(buffer.tensor.clone());
  }
  void save() { copy_all(true); }
  void restore() { copy_all(false); }

 private:
  void copy_all(bool out) {
    for (std::size_t b = 0; b < buffers_.size(); ++b) {
      const Tensor &from = out ? buffers_[b].tensor : copies_[b], &to = out ? copies_[b] : buffers_[b].tensor;
      std::ranges::copy(from.span(), to.mutable_data());
    }
  }

  std::vector<Buffer> buffers_;  // a list of its own: a model may get scales later, whose constants no step changes
  std::vector<Tensor> copies_;
};

/// Saves the buffers of a model when it is made, and restores them when it ends.
class BuffersAside {
 public:
  explicit BuffersAside(BufferCopy& buffers) : buffers_(buffers) { buffers_.save(); }
  ~BuffersAside() { buffers_.restore(); }
  BuffersAside(const BuffersAside&) = delete;
  BuffersAside& operator=(const BuffersAside&) = delete;

 private:
  BufferCopy& buffers_;
};

/// One attempt at a step. Its constructor clears the gradients. Unless keep() was called, its end restores the buffers,
/// also after an exception.
class Attempt {
 public:
  Attempt(optim::Optimizer& optimizer, BufferCopy& buffers) : buffers_(buffers) {
    optimizer.zero_grad();
    buffers_.save();
  }
  ~Attempt() {
    if (!kept_) buffers_.restore();
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void keep() { kept_ = true; }

 private:
  BufferCopy& buffers_;
  bool kept_ = false;
};

}  // namespace handrail::train
