// Which ops are hot: every op that is a kernel, beside the same op as one function with Eigen, as a user writes it (see
// examples/custom_op.cpp). Both are timed in turn, forward and backward together, on 128 x 256 elements and one thread.
// prints: the table "Hot ops" of docs/speed.md, medians
#include <cmath>
#include <functional>
#include <numbers>

#include <handrail/core/eigen.h>
#include <handrail/handrail.h>

#include "workload.h"

using namespace handrail;

namespace {

constexpr Index rows = 128, cols = 256;

using Op = std::function<Tensor(const Tensor&)>;
struct Row {
  const char* name;
  Op kernel, eigen;
};

// A tensor as an Eigen array [rows, cols].
auto grid(const Tensor& t) { return matrix(t).array(); }

// An op on each element: value(x), and gradient(gy, x, y) of the input.
template <class Value, class Gradient>
Op each(Value value, Gradient gradient) {
  return [=](const Tensor& x) {
    const Tensor y(x.shape());
    mutable_array(y) = value(array(x));
    return Tape::record("each", {x}, y, [=, x = Saved(x), y = Saved(y)](const Backward& b) {
      b[0] += gradient(array(b.output_grad()), array(*x), array(*y));
    });
  };
}

// An op on x and another tensor of its shape: value(a, b), and the gradients of both.
template <class Value, class GradientA, class GradientB>
Op both(const Tensor& other, Value value, GradientA gradient_a, GradientB gradient_b) {
  return [=](const Tensor& x) {
    const Tensor y(x.shape());
    mutable_array(y) = value(array(x), array(other));
    return Tape::record("both", {x, other}, y, [=, x = Saved(x), other = Saved(other)](const Backward& b) {
      b[0] += gradient_a(array(b.output_grad()), array(*x), array(*other));
      b[1] += gradient_b(array(b.output_grad()), array(*x), array(*other));
    });
  };
}

// A loss of x and targets: the mean of term(x, t), in double, and the gradient of a term.
template <class Term, class Gradient>
Op loss(const Tensor& targets, Term term, Gradient gradient) {
  return [=](const Tensor& x) {
    const double total = term(array(x), array(targets)).template cast<double>().sum();
    const Tensor mean = Tensor::scalar(static_cast<Scalar>(total / static_cast<double>(x.size())));
    return Tape::record("loss", {x}, mean, [=, x = Saved(x), t = Saved(targets)](const Backward& b) {
      b[0] += (b.output_grad().item() / static_cast<Scalar>(x->size())) * gradient(array(*x), array(*t));
    });
  };
}

Tensor add_row(const Tensor& x, const Tensor& row) {
  const Tensor y(x.shape());
  mutable_matrix(y) = matrix(x).rowwise() + matrix(row).row(0);
  return Tape::record("add_row", {x, row}, y, [](const Backward& b) {
    b[0] += array(b.output_grad());
    b[1] += matrix(b.output_grad()).colwise().sum();
  });
}

Tensor mul_row(const Tensor& x, const Tensor& row) {
  const Tensor y(x.shape());
  mutable_matrix(y).array() = grid(x).rowwise() * grid(row).row(0);
  return Tape::record("mul_row", {x, row}, y, [x = Saved(x), row = Saved(row)](const Backward& b) {
    b[0] += grid(b.output_grad()).rowwise() * grid(*row).row(0);
    b[1] += (grid(b.output_grad()) * grid(*x)).colwise().sum();
  });
}

Tensor mul_column(const Tensor& x, const Tensor& column) {
  const Tensor y(x.shape());
  mutable_matrix(y).array() = grid(x).colwise() * array(column);
  return Tape::record("mul_column", {x, column}, y, [x = Saved(x), column = Saved(column)](const Backward& b) {
    b[0] += grid(b.output_grad()).colwise() * array(*column);
    b[1] += (grid(b.output_grad()) * grid(*x)).rowwise().sum();
  });
}

Tensor sum_all(const Tensor& x) {
  const Tensor y = Tensor::scalar(static_cast<Scalar>(array(x).cast<double>().sum()));
  return Tape::record("sum_all", {x}, y, [size = x.size()](const Backward& b) {
    b[0] += ArrayMap::PlainObject::Constant(size, b.output_grad().item());
  });
}

Tensor sum_rows(const Tensor& x) {
  const Tensor y({x.shape().cols()});
  mutable_matrix(y) = matrix(x).colwise().sum();
  return Tape::record("sum_rows", {x}, y, [n = x.shape().rows()](const Backward& b) {
    b[0] += matrix(b.output_grad()).colwise().replicate(n);
  });
}

Tensor sum_columns(const Tensor& x) {
  const Tensor y({x.shape().rows()});
  mutable_array(y) = grid(x).rowwise().sum();
  return Tape::record("sum_columns", {x}, y, [n = x.shape().cols()](const Backward& b) {
    b[0] += array(b.output_grad()).matrix().rowwise().replicate(n);
  });
}

Tensor reshape_flat(const Tensor& x) {
  return Tape::record("reshape_flat", {x}, x.view({x.size()}),
                      [](const Backward& b) { b[0] += array(b.output_grad()); });
}

// exp(x - maximum of its row), and for each row the sum of it; both for the caller to use up.
struct RowExp {
  Tensor p, sums, maxima;
};
RowExp row_exp(const Tensor& x) {
  const Index n = x.shape().rows();
  const RowExp r{Tensor(x.shape()), Tensor({n}), Tensor({n})};
  mutable_array(r.maxima) = grid(x).rowwise().maxCoeff();
  mutable_matrix(r.p).array() = (grid(x).colwise() - array(r.maxima)).exp();
  mutable_array(r.sums) = grid(r.p).rowwise().sum();
  return r;
}

Tensor softmax_rows(const Tensor& x) {
  const RowExp r = row_exp(x);
  mutable_matrix(r.p).array().colwise() *= array(r.sums).inverse();
  return Tape::record("softmax_rows", {x}, r.p, [p = Saved(r.p)](const Backward& b) {
    const Tensor along({p->shape().rows()});
    mutable_array(along) = (grid(b.output_grad()) * grid(*p)).rowwise().sum();
    b[0] += grid(*p) * (grid(b.output_grad()).colwise() - array(along));
  });
}

Tensor log_softmax_rows(const Tensor& x) {
  const RowExp r = row_exp(x);
  const Tensor y(x.shape());
  mutable_matrix(y).array() = (grid(x).colwise() - array(r.maxima)).colwise() - array(r.sums).log();
  mutable_matrix(r.p).array().colwise() *= array(r.sums).inverse();
  return Tape::record("log_softmax_rows", {x}, y, [p = Saved(r.p)](const Backward& b) {
    const Tensor total({p->shape().rows()});
    mutable_array(total) = grid(b.output_grad()).rowwise().sum();
    b[0] += grid(b.output_grad()) - grid(*p).colwise() * array(total);
  });
}

Tensor cross_entropy_rows(const Tensor& x, const Tensor& classes) {
  const RowExp r = row_exp(x);
  const Index n = x.shape().rows();
  double total = (array(r.maxima) + array(r.sums).log()).cast<double>().sum();
  for (Index i = 0; i < n; ++i) total -= static_cast<double>(matrix(x)(i, static_cast<Index>(array(classes)[i])));
  const Tensor y = Tensor::scalar(static_cast<Scalar>(total / static_cast<double>(n)));
  return Tape::record("cross_entropy_rows", {x}, y, [r, classes = Saved(classes), n](const Backward& b) {
    const Scalar scale = b.output_grad().item() / static_cast<Scalar>(n);
    b[0] += grid(r.p).colwise() * (scale / array(r.sums));
    MatrixMap to(b[0].target().data, n, r.p.shape().cols());
    for (Index i = 0; i < n; ++i) to(i, static_cast<Index>(array(*classes)[i])) -= scale;
  });
}

Tensor layer_norm_rows(const Tensor& x, const Tensor& gain, const Tensor& shift) {
  const Index n = x.shape().rows();
  const auto d = static_cast<Scalar>(x.shape().cols());
  const Tensor y(x.shape()), normed(x.shape()), inverse({n}), mean({n});
  mutable_array(mean) = grid(x).rowwise().sum() / d;
  mutable_matrix(normed).array() = grid(x).colwise() - array(mean);
  mutable_array(inverse) = (grid(normed).square().rowwise().sum() / d + Scalar(1e-5)).rsqrt();
  mutable_matrix(normed).array().colwise() *= array(inverse);
  mutable_matrix(y).array() = (grid(normed).rowwise() * grid(gain).row(0)).rowwise() + grid(shift).row(0);
  return Tape::record("layer_norm_rows", {x, gain, shift}, y,
                      [normed = Saved(normed), inverse = Saved(inverse), gain = Saved(gain), d](const Backward& b) {
                        const Tensor& gy = b.output_grad();
                        const Tensor g(gy.shape()), middle(inverse->shape()), along(inverse->shape());
                        mutable_matrix(g).array() = grid(gy).rowwise() * grid(*gain).row(0);
                        mutable_array(middle) = grid(g).rowwise().sum() / d;
                        mutable_array(along) = (grid(g) * grid(*normed)).rowwise().sum() / d;
                        b[0] +=
                            ((grid(g).colwise() - array(middle)) - grid(*normed).colwise() * array(along)).colwise() *
                            array(*inverse);
                        b[1] += (grid(gy) * grid(*normed)).colwise().sum();
                        b[2] += grid(gy).colwise().sum();
                      });
}

Tensor batch_norm_columns(const Tensor& x, const Tensor& gain, const Tensor& shift, const RunningStats& running) {
  const auto n = static_cast<Scalar>(x.shape().rows());
  const Tensor y(x.shape()), normed(x.shape()), inverse(gain.shape()), mean(gain.shape()), variance(gain.shape());
  mutable_matrix(mean) = matrix(x).colwise().sum() / n;
  mutable_matrix(normed) = matrix(x).rowwise() - matrix(mean).row(0);
  mutable_matrix(variance) = matrix(normed).array().square().matrix().colwise().sum() / n;
  mutable_array(running.mean) += Scalar(0.1) * (array(mean) - array(running.mean));
  mutable_array(running.variance) += Scalar(0.1) * (n / (n - 1) * array(variance) - array(running.variance));
  mutable_array(inverse) = (array(variance) + Scalar(1e-5)).rsqrt();
  mutable_matrix(normed).array().rowwise() *= grid(inverse).row(0);
  mutable_matrix(y).array() = (grid(normed).rowwise() * grid(gain).row(0)).rowwise() + grid(shift).row(0);
  return Tape::record(
      "batch_norm_columns", {x, gain, shift}, y,
      [normed = Saved(normed), inverse = Saved(inverse), gain = Saved(gain), n](const Backward& b) {
        const Tensor& gy = b.output_grad();
        const Tensor sums(gain->shape()), along(gain->shape()), factor(gain->shape());
        mutable_matrix(sums) = matrix(gy).colwise().sum();
        mutable_matrix(along).array() = (grid(gy) * grid(*normed)).colwise().sum();
        mutable_array(factor) = array(*gain) * array(*inverse) / n;
        b[0] +=
            ((n * grid(gy)).rowwise() - grid(sums).row(0) - grid(*normed).rowwise() * grid(along).row(0)).rowwise() *
            grid(factor).row(0);
        b[1] += matrix(along);
        b[2] += matrix(sums);
      });
}

Tensor drop(const Tensor& x, double p) {
  StreamKey key{.seed = 0, .stream = Stream::dropout};
  const RandomPosition at = Tape::next_random("drop", key.call);
  key.seed = at.seed;
  key.position = at.position;
  Rng rng(key);
  const Tensor y(x.shape()), mask(x.shape());
  const auto limit = static_cast<std::uint32_t>(std::ldexp(p, 32));
  mutable_array(mask) =
      ArrayMap::PlainObject::NullaryExpr(x.size(), [&](Index) { return Scalar(rng.bits() >= limit); });
  mutable_array(mask) *= static_cast<Scalar>(1 / (1 - p));
  mutable_array(y) = array(x) * array(mask);
  return Tape::record("drop", {x}, y, [mask](const Backward& b) { b[0] += array(b.output_grad()) * array(mask); });
}

std::vector<Row> make_rows() {
  Rng rng(2);
  const Tensor same = normal({rows, cols}, 0, 1, rng), row = normal({cols}, 0, 1, rng),
               column = normal({rows, 1}, 0, 1, rng), share = sigmoid(same), classes = Tensor::zeros({rows}),
               gain = Tensor::ones({cols}), shift = Tensor::zeros({cols});
  for (const Tensor& leaf : {same, row, column, gain, shift}) leaf.set_requires_grad(true);
  const Tensor fixed = same.clone();
  const RunningStats running{Tensor::zeros({cols}), Tensor::ones({cols})};
  const auto unary = [](Tensor (*op)(const Tensor&)) { return Op(op); };
  const auto one = [](const auto& gy, const auto&, const auto&) { return gy; };
  return {
      {"relu", unary(relu),
       each([](auto x) { return (x < 0).select(Scalar(0), x); },
            [](auto gy, auto, auto y) { return (y > 0).select(gy, Scalar(0)); })},
      {"square", unary(square),
       each([](auto x) { return x.square(); }, [](auto gy, auto x, auto) { return gy * (2 * x); })},
      {"abs", unary(abs),
       each([](auto x) { return x.abs(); },
            [](auto gy, auto x, auto) { return (x > 0).select(gy, (x < 0).select(-gy, Scalar(0))); })},
      {"sqrt", unary(sqrt),
       each([](auto x) { return x.sqrt(); }, [](auto gy, auto, auto y) { return gy * (Scalar(0.5) / y); })},
      {"exp", unary(exp), each([](auto x) { return x.exp(); }, [](auto gy, auto, auto y) { return gy * y; })},
      {"log", unary(log), each([](auto x) { return x.log(); }, [](auto gy, auto x, auto) { return gy / x; })},
      {"tanh", unary(tanh),
       each([](auto x) { return x.tanh(); }, [](auto gy, auto, auto y) { return gy * (1 - y * y); })},
      {"sigmoid", unary(sigmoid),
       each([](auto x) { return x.logistic(); }, [](auto gy, auto, auto y) { return gy * (y * (1 - y)); })},
      {"softplus", unary(softplus),
       each([](auto x) { return x.max(Scalar(0)) + (-x.abs()).exp().log1p(); },
            [](auto gy, auto x, auto) { return gy * x.logistic(); })},
      {"gelu", unary(gelu),
       each(
           [](auto x) {
             return x.unaryExpr([](Scalar e) { return e / 2 * (1 + std::erf(e / std::numbers::sqrt2_v<Scalar>)); });
           },
           [](auto gy, auto x, auto y) {
             return gy * (y / x + x * (x.square() / -2).exp() / std::sqrt(2 * std::numbers::pi_v<Scalar>));
           })},
      {"affine", [](const Tensor& x) { return affine(x, 2, 1); },
       each([](auto x) { return 2 * x + 1; }, [](auto gy, auto, auto) { return 2 * gy; })},
      {"add", [=](const Tensor& x) { return x + same; },
       both(
           same, [](auto a, auto b) { return a + b; }, one, one)},
      {"sub", [=](const Tensor& x) { return x - same; },
       both(
           same, [](auto a, auto b) { return a - b; }, one, [](auto gy, auto, auto) { return -gy; })},
      {"mul", [=](const Tensor& x) { return x * same; },
       both(
           same, [](auto a, auto b) { return a * b; }, [](auto gy, auto, auto b) { return gy * b; },
           [](auto gy, auto a, auto) { return gy * a; })},
      {"div", [=](const Tensor& x) { return x / same; },
       both(
           same, [](auto a, auto b) { return a / b; }, [](auto gy, auto, auto b) { return gy / b; },
           [](auto gy, auto a, auto b) { return -gy * a / b.square(); })},
      {"add: a row", [=](const Tensor& x) { return x + row; }, [=](const Tensor& x) { return add_row(x, row); }},
      {"mul: a row", [=](const Tensor& x) { return x * row; }, [=](const Tensor& x) { return mul_row(x, row); }},
      {"mul: a column", [=](const Tensor& x) { return x * column; },
       [=](const Tensor& x) { return mul_column(x, column); }},
      {"sum", unary(sum), unary(sum_all)},
      {"sum: over rows", [](const Tensor& x) { return sum(x, 0); }, unary(sum_rows)},
      {"sum: over columns", [](const Tensor& x) { return sum(x, 1); }, unary(sum_columns)},
      {"reshape", [](const Tensor& x) { return reshape(x, {x.size()}); }, unary(reshape_flat)},
      {"softmax", unary(softmax), unary(softmax_rows)},
      {"log_softmax", unary(log_softmax), unary(log_softmax_rows)},
      {"cross_entropy", [=](const Tensor& x) { return cross_entropy(x, classes); },
       [=](const Tensor& x) { return cross_entropy_rows(x, classes); }},
      {"binary_cross_entropy_with_logits", [=](const Tensor& x) { return binary_cross_entropy_with_logits(x, share); },
       loss(
           share, [](auto x, auto t) { return x.max(Scalar(0)) - x * t + (-x.abs()).exp().log1p(); },
           [](auto x, auto t) { return x.logistic() - t; })},
      {"mse_loss", [=](const Tensor& x) { return mse_loss(x, fixed); },
       loss(
           fixed, [](auto x, auto t) { return (x - t).square(); }, [](auto x, auto t) { return 2 * (x - t); })},
      {"layer_norm", [=](const Tensor& x) { return layer_norm(x, gain, shift); },
       [=](const Tensor& x) { return layer_norm_rows(x, gain, shift); }},
      {"batch_norm", [=](const Tensor& x) { return batch_norm(x, gain, shift, running); },
       [=](const Tensor& x) { return batch_norm_columns(x, gain, shift, running); }},
      {"dropout", [](const Tensor& x) { return dropout(x, 0.5); }, [](const Tensor& x) { return drop(x, 0.5); }},
  };
}

// Microseconds of the op and of its backward pass, without the sum that makes a loss of it.
double microseconds(const Op& op, const Tensor& x, std::uint64_t round) {
  x.zero_grad();
  Tape tape(Mode::train, {.seed = 1, .position = round});
  const double t0 = bench::now();
  const Tensor y = op(x);
  const double t1 = bench::now();
  const Tensor loss = y.size() == 1 ? y : sum(y);
  const double t2 = bench::now();
  tape.backward(loss);
  return (bench::now() - t2 + t1 - t0) * 1e6;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main() {
  set_num_threads(1);
  Rng rng(1);
  const Tensor x = uniform({rows, cols}, 0.1, 3, rng);
  x.set_requires_grad(true);
  std::printf("| op | kernel, µs | Eigen, µs | ratio |\n| --- | --- | --- | --- |\n");
  for (const Row& row : make_rows()) {
    std::vector<double> kernel, eigen;
    for (std::uint64_t round = 0; round < 2000; ++round) {
      kernel.push_back(microseconds(row.kernel, x, round));
      eigen.push_back(microseconds(row.eigen, x, round));
    }
    const double k = median(kernel), e = median(eigen);
    std::printf("| %s | %.1f | %.1f | %.2f |\n", row.name, k, e, e / k);
  }
}
