#pragma once

#include <filesystem>

#include <handrail/nn/module.h>
#include <handrail/train/data/model_info.h>

namespace handrail::train {

class FileSystem;                 // the system calls; tests replace them
FileSystem& posix_file_system();  // those of the operating system

/// Writes the parameters and buffers of a model, as safely as save_checkpoint does. A path that ends in ".safetensors"
/// gets a file for PyTorch, any other one a file in the library's own format.
///
/// A file for PyTorch is one of safetensors (see save_safetensors) with the names of Module::parameters() and
/// Module::buffers(). Weights of linear operations (see Module::operations) are transposed to PyTorch's [out, in]. The
/// file thus suits load_state_dict of a model whose layers have the same names; those of Sequential are the same. Two
/// kinds of buffers have no counterpart in PyTorch: those of nn::Standardize and nn::Impute, and those of the scales of
/// a layer, such as "(input).mean".
/// Throws CheckpointError as save_checkpoint does.
void save_weights(const nn::Module& model, const std::filesystem::path& path, FileSystem& files = posix_file_system());
/// Writes the file for PyTorch with what a program needs beside the weights as metadata, in texts: "task" (multiclass,
/// binary or regression); "normalization.mean" and "normalization.stddev", which are applied to bytes / 255;
/// "input_shape", "target_shape", "class_names" and "class_weights" as JSON. What `info` does not have is left out, and
/// so is its table, which save_table writes. Throws OptionError unless the path ends in ".safetensors".
void save_weights(const nn::Module& model, const ModelInfo& info, const std::filesystem::path& path,
                  FileSystem& files = posix_file_system());
/// Reads a file that save_weights wrote, or one of safetensors that PyTorch wrote, into a model with the same names and
/// shapes; the content says which it is. The scales of its layers (see nn::Layer) come from the file: the model need
/// not have been trained. A checkpoint can be read too: it gives the weights at its step, while Trainer::load_model
/// gives those of its best evaluation. PyTorch's num_batches_tracked of a BatchNorm is ignored.
/// Throws CheckpointError when the file cannot be read or does not fit the model; the error lists every name that is
/// missing or unknown, and every other shape. The model is then unchanged.
void load_weights(nn::Module& model, const std::filesystem::path& path, FileSystem& files = posix_file_system());

}  // namespace handrail::train
