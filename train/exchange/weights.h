#pragma once

#include <filesystem>

#include <handrail/nn/module.h>

namespace handrail::train {

class FileSystem;                 // the system calls; tests replace them
FileSystem& posix_file_system();  // those of the operating system

/// Writes the parameters and buffers of a model, as safely as save_checkpoint does. Tensors are stored as they are: the
/// weight of nn::Linear is [in, out], the transpose of PyTorch's. Throws CheckpointError as save_checkpoint does.
void save_weights(const nn::Module& model, const std::filesystem::path& path, FileSystem& files = posix_file_system());
/// Reads a file that save_weights wrote into a model with the same names and shapes. The scales of its layers (see
/// nn::Layer) come from the file: the model need not have been trained. A checkpoint can be read too: it
/// gives the weights at its step, while Trainer::load_model gives those of its best evaluation. Throws CheckpointError
/// when the file cannot be read or does not fit the model; the model is then unchanged.
void load_weights(nn::Module& model, const std::filesystem::path& path, FileSystem& files = posix_file_system());

}  // namespace handrail::train
