#pragma once

#include <algorithm>
#include <filesystem>
#include <span>
#include <vector>

#include <handrail/nn/module.h>
#include <handrail/train/checkpoints/state.h>

namespace handrail::train {

class FileSystem;                 // the system calls; tests replace them
FileSystem& posix_file_system();  // those of the operating system

/// Writes the state of a training run to one file. The file at `path` is replaced atomically: whatever happens on the
/// way, it is the old file or the new one, complete. On return the new one is on the disk. is_best marks the file as
/// the best, so that CheckpointStore keeps it. Throws CheckpointError before anything is written when a parameter,
/// buffer or moment is not finite; the error names it. Throws CheckpointError when a system call fails; the error names
/// path, cause and bytes written. The old file is then unchanged, unless the error says that only the last step, the
/// sync of the directory, has failed.
void save_checkpoint(const std::filesystem::path& path, const TrainingState& state, bool is_best = false,
                     FileSystem& files = posix_file_system());

/// Reads a file that save_checkpoint wrote. The whole file is verified before any of it is used, and the memory used is
/// proportional to its size. Throws CheckpointError when the file is damaged in any way, has a newer format, is from a
/// library with another Scalar, is not a regular file, or holds values that save_checkpoint refuses. Whether the state
/// suits a model is for the caller to check: see check_fits.
TrainingState load_checkpoint(const std::filesystem::path& path, FileSystem& files = posix_file_system());

/// Whether the file is marked as the best. Reads and checks its header only. Throws CheckpointError when the header is
/// damaged or cannot be read.
bool is_best_checkpoint(const std::filesystem::path& path, FileSystem& files = posix_file_system());

/// The parameters and buffers of a model, by the names that Module::parameters() and Module::buffers() give them.
struct ModelState {
  NamedTensors parameters, buffers;  // copies, which do not change with the model
};

/// Returns copies of all parameters and buffers.
ModelState capture(const nn::Module& model);
/// Copies them into `tensors`, by name, and uses its memory again.
template <class Part>
void capture(const std::vector<Part>& parts, NamedTensors& tensors) {
  for (const Part& part : parts)
    if (Tensor& copy = tensors[part.name]; copy.defined())
      std::ranges::copy(part.tensor.span(), copy.mutable_data());
    else
      copy = part.tensor.clone();
}
/// Throws CheckpointError unless the model has parameters and buffers of these names and shapes, and no others. The
/// error lists every one that is missing, unknown or of another shape.
void check_fits(const nn::Module& model, const NamedTensors& parameters, const NamedTensors& buffers);
/// Throws CheckpointError unless the model has the parameters and buffers of the state, those of its best evaluation if
/// it has one, and those of its last good state. The error lists every one that is missing, unknown or of another
/// shape.
void check_fits(const nn::Module& model, const TrainingState& state);
/// Copies the values into the model, whose layers get the scales (see nn::Layer) that they had when the values were
/// captured. Throws CheckpointError as check_fits does; the model is then unchanged.
void restore(nn::Module& model, const NamedTensors& parameters, const NamedTensors& buffers);
/// Copies the values into the parameters and buffers of a model, which the values must fit (see check_fits). It takes
/// no memory from the heap, so that a run can restore its model whatever ended it.
void write_back(std::span<const Parameter> own_parameters, std::span<const Buffer> own_buffers,
                const NamedTensors& parameters, const NamedTensors& buffers) noexcept;

/// Writes what save_weights writes, and `info`: everything else that the model needs to predict. Trainer::save_model
/// calls it with the info of its model. Throws CheckpointError as save_checkpoint does, and when `info` has a
/// normalization that is not finite or whose stddev is not above 0.
void save_model(const nn::Module& model, const ModelInfo& info, const std::filesystem::path& path,
                FileSystem& files = posix_file_system());
/// What a file of save_model holds.
struct SavedModel {
  ModelState weights;  // for restore()
  ModelInfo info;      // how its outputs become predictions, and what raw data needs
};
/// Reads a file that save_model wrote, or a checkpoint: then the weights are those of its best evaluation, if it has
/// one. Throws CheckpointError when the file cannot be read, and for a file of save_weights, which has no info.
SavedModel read_model(const std::filesystem::path& path, FileSystem& files = posix_file_system());

/// Writes how a table becomes inputs and targets, as safely as save_checkpoint does. Throws CheckpointError as it does,
/// and when the fields contradict each other.
void save_table(const TableEncoder& table, const std::filesystem::path& path, FileSystem& files = posix_file_system());
/// Reads a file that save_table wrote, or a model or checkpoint of a Trainer with TrainerOptions::table. Throws
/// CheckpointError when the file cannot be read or holds no table.
TableEncoder load_table(const std::filesystem::path& path, FileSystem& files = posix_file_system());

}  // namespace handrail::train
