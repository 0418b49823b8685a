#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <handrail/nn/module.h>
#include <handrail/optim/optimizer.h>

namespace handrail::train {

/// A copy of the buffers of a model, to go back to. Memory is asked for once.
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

  const std::vector<Buffer>& buffers_;
  std::vector<Tensor> copies_;
};

/// While it lives, what is done to the buffers is for the moment only.
class BuffersAside {
 public:
  explicit BuffersAside(BufferCopy& buffers) : buffers_(buffers) { buffers_.save(); }
  ~BuffersAside() { buffers_.restore(); }
  BuffersAside(const BuffersAside&) = delete;
  BuffersAside& operator=(const BuffersAside&) = delete;

 private:
  BufferCopy& buffers_;
};

/// One attempt at a step. Unless it is kept, its end, by an exception too, leaves the buffers as they were before.
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
