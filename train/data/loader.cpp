#include <handrail/train/data/loader.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include <handrail/core/error.h>
#include <handrail/core/random.h>

namespace handrail::train {
namespace {

Index count_batches(Index rows, const LoaderOptions& options) {
  if (options.batch_size < 1) fail<OptionError>("Loader: want batch_size >= 1; got ", options.batch_size);
  if (rows == 0) fail<DataError>("Loader: want at least one row; got none");
  const Index full = rows / options.batch_size, rest = rows % options.batch_size;
  if (options.drop_last) {
    if (full == 0)
      fail<DataError>("Loader: drop_last leaves no batch of ", options.batch_size, " from ", rows,
                      " rows; choose a smaller batch_size");
    return full;
  }
  return full + (rest > 1 || (rest == 1 && (full == 0 || options.batch_size == 1)) ? 1 : 0);
}

}  // namespace

Loader::Loader(Rows rows, LoaderOptions options)
    : rows_(std::move(rows)),
      order_(rows_.numbers().begin(), rows_.numbers().end()),
      options_(options),
      batches_(count_batches(rows_.size(), options)) {
  check_gather();
}

Loader::Loader(const Dataset& dataset, LoaderOptions options) : Loader(Rows(dataset), options) {}

Index Loader::samples() const { return options_.drop_last ? batches_ * options_.batch_size : rows_.size(); }

void Loader::start_epoch(std::int64_t epoch) {
  if (!options_.shuffle_seed || epoch_ == epoch) return;
  epoch_ = epoch;
  std::ranges::copy(rows_.numbers(), order_.begin());
  Rng rng(StreamKey{
      .seed = *options_.shuffle_seed, .stream = Stream::shuffle, .position = static_cast<std::uint64_t>(epoch)});
  rng.shuffle(std::span(order_));
}

std::span<const Index> Loader::rows(Index i) const {
  if (i < 0 || i >= batches_) fail("Loader: want a batch in [0, ", batches_, "); got ", i);
  const Index begin = i * options_.batch_size;
  const Index end = i + 1 < batches_ ? begin + options_.batch_size : samples();
  return std::span(order_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

Batch Loader::batch(Index i) const {
  const auto rows_of = rows(i);
  Batch batch = empty_batch(rows_.dataset(), std::ssize(rows_of));
  gather(rows_of, batch);
  return batch;
}

void Loader::gather(std::span<const Index> rows, const Batch& batch) const {
  if (options_.normalization)
    rows_.dataset().gather_normalized(rows, *options_.normalization, batch);
  else
    rows_.dataset().gather(rows, batch);
}

// With a gather that leaves elements unwritten, a run would train on whatever the memory held before. Two batches are
// filled with different bytes before gather: an element that has its filling in both was not written.
void Loader::check_gather() const {
  constexpr std::array<int, 2> fillings{0xFF, 0xFE};
  const auto some = rows_.numbers().first(static_cast<std::size_t>(std::min<Index>(2, rows_.size())));
  std::array<Batch, 2> batches;
  for (std::size_t k = 0; k < 2; ++k) {
    batches[k] = empty_batch(rows_.dataset(), std::ssize(some));
    for (const Tensor& part : {batches[k].inputs, batches[k].targets})
      std::memset(part.mutable_data(), fillings[k], static_cast<std::size_t>(part.size()) * sizeof(Scalar));
    gather(some, batches[k]);
  }
  const auto check = [&](const char* what, const Tensor& first, const Tensor& second) {
    const auto is_filled = [](const Scalar& value, int filling) {
      const auto bytes = std::as_bytes(std::span(&value, 1));
      return std::ranges::all_of(bytes, [&](std::byte byte) { return byte == static_cast<std::byte>(filling); });
    };
    for (Index i = 0; i < first.size(); ++i)
      if (is_filled(first.data()[i], fillings[0]) && is_filled(second.data()[i], fillings[1]))
        fail<DataError>("Loader: want gather() to fill the whole batch; it did not write element ", i, " of the ", what,
                        ", shape ", first.shape());
  };
  check("inputs", batches[0].inputs, batches[1].inputs);
  check("targets", batches[0].targets, batches[1].targets);
}

}  // namespace handrail::train
