#pragma once

#include <filesystem>
#include <string>

#include <handrail/nn/module.h>
#include <handrail/train/data/model_info.h>

namespace handrail::train {

class FileSystem;                 // the system calls; tests replace them
FileSystem& posix_file_system();  // those of the operating system

/// The options of export_header.
struct HeaderOptions {
  std::string name = "model";  // of the namespace in the header: letters, digits and '_', no digit first
};

/// Writes a model as one C++17 header that needs nothing but the standard library: for programs that predict without
/// handrail. It defines, in the namespace options.name,
///   constexpr std::size_t input_size, output_size;
///   void predict(const float* x, float* y);       // the outputs of the model for one sample, such as logits
///   std::array<float, output_size> predict(const std::array<float, input_size>& x);
///   std::size_t predict_class(const float* x);    // with Task::multiclass: the class of the largest output
///   constexpr const char* class_names[];          // with info.class_names
///   void normalize(const unsigned char* bytes, float* x);  // with info.normalization: raw data to inputs
/// The scales of the model are part of predict. The file at `path` is replaced atomically.
///
/// predict returns the bits that the model returns in evaluation with kernels that fuse products and sums (see
/// docs/reproducibility.md), for every layer of handrail. It has the same chains of fused multiply-adds, polynomials
/// and orders of sums. Compile it without -ffast-math; it switches off that the compiler fuses more.
///
/// Throws OptionError naming the layer and its type when a layer does not override nn::Module::operations(), for
/// another name, and by the library in double; ShapeError when the layers do not fit; CheckpointError when a value is
/// not finite or a system call fails.
void export_header(const nn::Layer& model, const ModelInfo& info, const std::filesystem::path& path,
                   const HeaderOptions& options = {}, FileSystem& files = posix_file_system());

}  // namespace handrail::train
