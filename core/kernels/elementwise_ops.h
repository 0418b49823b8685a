#pragma once

#include <handrail/core/kernels/functions.h>
#include <handrail/core/kernels/normal.h>

// Inside the library: the element-wise ops. An op is a struct and a line of the list at the end. The table of kernels,
// the three instruction sets and the public function follow from the list; core/ops/ops.h declares the function.
//
//   keep                  which tensor is saved for the backward pass: the input x or the output y
//   ns                    what an element takes, the mean of both directions, with AVX-512 (tests/bench/op_bench.cpp)
//   value(x)              the element of the output
//   gradient(kept, gy)    the element of the input's gradient, from the saved element and the output's gradient gy
//
// Both functions have no branches, so that compilers vectorise loops over them. value(NaN) is NaN.

namespace handrail {
inline namespace HANDRAIL_SCALAR_NAMESPACE {
namespace kernels {

enum class Keep { input, output };

namespace {

struct Relu {
  static constexpr Keep keep = Keep::output;
  static constexpr double ns = 0.05;
  static Scalar value(Scalar x) { return x < 0 ? Scalar(0) : x; }
  static Scalar gradient(Scalar y, Scalar gy) { return y > 0 ? gy : Scalar(0); }
};

struct Square {
  static constexpr Keep keep = Keep::input;
  static constexpr double ns = 0.05;
  static Scalar value(Scalar x) { return x * x; }
  static Scalar gradient(Scalar x, Scalar gy) { return gy * (2 * x); }
};

struct Abs {
  static constexpr Keep keep = Keep::input;
  static constexpr double ns = 0.05;
  static Scalar value(Scalar x) { return abs(x); }
  static Scalar gradient(Scalar x, Scalar gy) {
    return gy * ((x > 0 ? Scalar(1) : Scalar(0)) - (x < 0 ? Scalar(1) : Scalar(0)));
  }
};

struct Sqrt {
  static constexpr Keep keep = Keep::output;
  static constexpr double ns = 0.07;
  static Scalar value(Scalar x) { return sqrt(x); }
  static Scalar gradient(Scalar y, Scalar gy) { return gy * (Scalar(0.5) / y); }
};

struct Exp {
  static constexpr Keep keep = Keep::output;
  static constexpr double ns = 0.12;
  static Scalar value(Scalar x) { return exp(x); }
  static Scalar gradient(Scalar y, Scalar gy) { return gy * y; }
};

struct Log {
  static constexpr Keep keep = Keep::input;
  static constexpr double ns = 0.16;
  static Scalar value(Scalar x) { return log(x); }
  static Scalar gradient(Scalar x, Scalar gy) { return gy * (1 / x); }
};

// At most 3 ulp off.
struct Tanh {
  static constexpr Keep keep = Keep::output;
  static constexpr double ns = 0.12;
  static Scalar value(Scalar x) {
    constexpr Scalar rounds_to_1 = sizeof(Scalar) == 4 ? 10 : 20;  // tanh of it
    const Scalar size = abs(x);
    const Scalar e = expm1(2 * (size > rounds_to_1 ? rounds_to_1 : size));
    return copysign(e / (e + 2), x);
  }
  static Scalar gradient(Scalar y, Scalar gy) { return gy * (1 - y * y); }
};

// 1 / (1 + e^-x), computed from e^-|x|, which cannot overflow. At most 3 ulp off.
struct Sigmoid {
  static constexpr Keep keep = Keep::output;
  static constexpr double ns = 0.16;
  static Scalar value(Scalar x) {
    const Scalar e = exp(-abs(x));
    return (x >= 0 ? Scalar(1) : e) / (1 + e);
  }
  static Scalar gradient(Scalar y, Scalar gy) { return gy * (y * (1 - y)); }
};

// log(1 + e^x). At most 4 ulp off.
struct Softplus {
  static constexpr Keep keep = Keep::input;
  static constexpr double ns = 0.3;
  static Scalar value(Scalar x) { return (x > 0 ? x : Scalar(0)) + log1p(exp(-abs(x))); }
  static Scalar gradient(Scalar x, Scalar gy) { return gy * Sigmoid::value(x); }
};

// x P(X < x) for X standard normal. At most 4 ulp off; below -1, at most 4 ulp of x. The slope is at most 2 ulp of 1
// off.
struct Gelu {
  static constexpr Keep keep = Keep::input;
  static constexpr double ns = 0.5;
  static Scalar value(Scalar x) { return x * normal(x).cdf; }
  static Scalar gradient(Scalar x, Scalar gy) {
    const Normal n = normal(x);
    return gy * mul_add(x, n.density, n.cdf);
  }
};

}  // namespace
}  // namespace kernels
}  // namespace HANDRAIL_SCALAR_NAMESPACE
}  // namespace handrail

// The list: the name of each op and its struct.
// clang-format off
#define HANDRAIL_ELEMENTWISE_OPS(op) \
  op(relu, Relu)                     \
  op(square, Square)                 \
  op(abs, Abs)                       \
  op(sqrt, Sqrt)                     \
  op(exp, Exp)                       \
  op(log, Log)                       \
  op(tanh, Tanh)                     \
  op(sigmoid, Sigmoid)               \
  op(softplus, Softplus)             \
  op(gelu, Gelu)
// clang-format on
