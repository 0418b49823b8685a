#pragma once

#include <filesystem>

#include <handrail/nn/module.h>
#include <handrail/train/data/model_info.h>

namespace handrail::train {

class FileSystem;                 // the system calls; tests replace them
FileSystem& posix_file_system();  // those of the operating system

/// Writes a model as an ONNX file, operator set 13, which ONNX Runtime and others run. The graph computes in evaluation
/// what a call of the model does, its scales included: from "input" [N, sample...] to "output" [N, ...], such as
/// logits. N is free. The metadata has the texts that save_weights writes of `info`, such as "task" and the
/// normalization that raw data needs before it. The outputs differ from those of the model by rounding: sums have
/// another order. The file at `path` is replaced atomically.
///
/// Every layer of handrail has operators of ONNX: linear a Gemm, or for samples with several dimensions MatMul and Add;
/// GELU its definition with Erf; LayerNorm its definition; Dropout nothing.
/// Throws OptionError naming the layer and its type when a layer does not override nn::Module::operations(); ShapeError
/// when the layers do not fit; CheckpointError when a value is not finite or a system call fails.
void export_onnx(const nn::Layer& model, const ModelInfo& info, const std::filesystem::path& path,
                 FileSystem& files = posix_file_system());

}  // namespace handrail::train
