#!/usr/bin/env python3
"""Writes figures.h beside this file: what PyTorch computes, in double, for the tests to compare with.

Needs PyTorch 1.13 or later; Debian's python3-torch will do. The tests themselves need no Python.
The inputs follow from the formula value(), which inputs.h has too.
"""

import pathlib
import textwrap

import torch
import torch.nn.functional as F

DATE = "2026-11-22"
STEPS = 20


def value(k):
    h = k * 2654435761 % 2**32
    h ^= h >> 15
    h = h * 2246822519 % 2**32
    h ^= h >> 13
    return ((h >> 24) - 127.5) / 64


def values(shape, first, factor=1.0):
    count = torch.Size(shape).numel()
    return torch.tensor([factor * value(first + i) for i in range(count)], dtype=torch.float64).reshape(shape)


def numbers(tensor):
    """A braced list of the elements, twelve digits each."""
    text = ", ".join(f"{float(x):.12g}" for x in tensor.detach().flatten())
    return "{" + textwrap.fill(text, 114, subsequent_indent="     ") + "}"


def array(name, tensor):
    return f"inline constexpr double {name}[] =\n    {numbers(tensor)};\n"


def leaf(tensor):
    return tensor.clone().requires_grad_(True)


# Optimizers: [5] and [3, 2], the second without a gradient in every seventh step.


def trajectory(name, rule, lr, weight_decay=0.0, momentum=0.0, nesterov=False, beta1=0.9, beta2=0.999, eps=1e-8,
               max_norm=0.0):
    params = [leaf(values([5], 0)), leaf(values([3, 2], 10))]
    if rule == "SGD":
        optimizer = torch.optim.SGD(params, lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov)
    else:
        kind = {"Adam": torch.optim.Adam, "AdamW": torch.optim.AdamW}[rule]
        optimizer = kind(params, lr=lr, weight_decay=weight_decay, betas=(beta1, beta2), eps=eps)
    rows = []
    for step in range(STEPS):
        params[0].grad = values([5], 100 + 11 * step)
        params[1].grad = None if step % 7 == 3 else values([3, 2], 105 + 11 * step)
        if max_norm > 0:
            torch.nn.utils.clip_grad_norm_(params, max_norm)
        optimizer.param_groups[0]["lr"] = lr * (40 - step) / 40
        optimizer.step()
        rows.append("     " + numbers(torch.cat([p.flatten() for p in params])))
    return (f'    {{.name = "{name}", .rule = "{rule}", .lr = {lr}, .weight_decay = {weight_decay}, '
            f".momentum = {momentum},\n     .nesterov = {str(nesterov).lower()}, .beta1 = {beta1}, .beta2 = {beta2}, "
            f".eps = {eps}, .max_norm = {max_norm}, .params = {{\n" + ",\n".join(rows) + "}},\n")


def trajectories():
    return (
        f"inline constexpr int steps = {STEPS};\n"
        "/// The parameters after each step. Rate of step s, from 0: lr * (40 - s) / 40. max_norm 0: no clipping.\n"
        "struct Trajectory {\n  const char *name, *rule;\n  double lr, weight_decay, momentum;\n  bool nesterov;\n"
        "  double beta1, beta2, eps, max_norm;\n  double params[steps][11];\n};\n"
        "inline constexpr Trajectory trajectories[] = {\n"
        + trajectory("sgd", "SGD", 0.05)
        + trajectory("sgd, decay", "SGD", 0.05, weight_decay=0.1)
        + trajectory("momentum", "SGD", 0.05, momentum=0.9)
        + trajectory("momentum, decay", "SGD", 0.05, momentum=0.9, weight_decay=0.1)
        + trajectory("momentum, decay, clipped", "SGD", 0.05, momentum=0.9, weight_decay=0.1, max_norm=1.0)
        + trajectory("nesterov", "SGD", 0.05, momentum=0.9, nesterov=True)
        + trajectory("nesterov, decay", "SGD", 0.05, momentum=0.9, nesterov=True, weight_decay=0.1)
        + trajectory("adam", "Adam", 0.02)
        + trajectory("adam, decay", "Adam", 0.02, weight_decay=0.1)
        + trajectory("adam, decay, clipped", "Adam", 0.02, weight_decay=0.1, max_norm=1.0)
        + trajectory("adam, other betas", "Adam", 0.02, beta1=0.8, beta2=0.95, eps=1e-3)
        + trajectory("adam without first moment", "Adam", 0.02, beta1=0.0, beta2=0.99)
        + trajectory("adamw, decay 0.01", "AdamW", 0.02, weight_decay=0.01)
        + trajectory("adamw, decay 0.1", "AdamW", 0.02, weight_decay=0.1)
        + trajectory("adamw, decay 0.1, clipped", "AdamW", 0.02, weight_decay=0.1, max_norm=1.0)
        + trajectory("adamw, other betas", "AdamW", 0.02, weight_decay=0.1, beta1=0.5, beta2=0.9, eps=1e-6)
        + "};\n"
    )


def clips():
    text = ("/// clip_grad_norm_ on gradients [5] and [3, 2] of factor * value(100 + i).\n"
            "struct Clip {\n  double factor, max_norm, norm, scale;\n};\ninline constexpr Clip clips[] = {\n")
    for factor, max_norm in [(1.0, 1.0), (1.0, 0.125), (1.0, 100.0), (0.001, 1.0), (0.001, 0.001), (4096.0, 1.0)]:
        grads = values([11], 100, factor)
        params = [leaf(values([5], 0)), leaf(values([3, 2], 10))]
        params[0].grad, params[1].grad = grads[:5].clone(), grads[5:].reshape(3, 2).clone()
        norm = torch.nn.utils.clip_grad_norm_(params, max_norm)
        scale = float(params[0].grad[0] / grads[0])
        text += f"    {{{factor}, {max_norm}, {float(norm):.12g}, {scale:.12g}}},\n"
    return text + "};\n"


# Ops: x [4, 6] of 3 * value(1000 + i), the last row 256 * value(...); gy is value(2000 + i).


def op_input():
    x = values([4, 6], 1000, 3)
    x[3] = values([6], 1018, 256)
    return leaf(x)


def ops():
    text = ("/// y = f(x) and the gradient of x for gy, both [4, 6].\n"
            "struct Op {\n  const char* name;\n  double value[24], gradient[24];\n};\ninline constexpr Op ops[] = {\n")
    functions = {
        "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "gelu": F.gelu, "softplus": F.softplus,
        "softmax": lambda x: F.softmax(x, -1), "log_softmax": lambda x: F.log_softmax(x, -1),
    }
    for name, function in functions.items():
        x = op_input()
        y = function(x)
        y.backward(values([4, 6], 2000))
        text += f'    {{"{name}",\n     {numbers(y)},\n     {numbers(x.grad)}}},\n'
    return text + "};\n"


def losses():
    text = ("/// The loss of x against targets: (5 i + 2) % 6; (i % 5) / 4; value(3000 + i).\n"
            "struct Loss {\n  const char* name;\n  double value, gradient[24];\n};\n"
            "inline constexpr Loss losses[] = {\n")
    classes = torch.tensor([(5 * i + 2) % 6 for i in range(4)])
    shares = torch.tensor([(i % 5) / 4 for i in range(24)], dtype=torch.float64).reshape(4, 6)
    functions = {
        "cross_entropy": lambda x: F.cross_entropy(x, classes),
        "binary_cross_entropy_with_logits": lambda x: F.binary_cross_entropy_with_logits(x, shares),
        "mse_loss": lambda x: F.mse_loss(x, values([4, 6], 3000)),
    }
    for name, function in functions.items():
        x = op_input()
        loss = function(x)
        loss.backward()
        text += f'    {{"{name}", {float(loss):.12g},\n     {numbers(x.grad)}}},\n'
    return text + "};\n"


def norms():
    text = "/// Norms: gain is value(4000 + j), shift value(4100 + j).\n"
    text += "struct Norm {\n  double value[24], x[24], gain[6], shift[6];\n};\n"

    def norm(name, y, x, gain, shift):
        y.backward(values(x.shape, 2000))
        return (f"inline constexpr Norm {name} = {{\n    {numbers(y)},\n    {numbers(x.grad)},\n"
                f"    {numbers(gain.grad)},\n    {numbers(shift.grad)}}};\n")

    x, gain, shift = op_input(), leaf(values([6], 4000)), leaf(values([6], 4100))
    text += norm("layer_norm", F.layer_norm(x, [6], gain, shift), x, gain, shift)

    text += ("/// Three batches [6, 4] of 2 * value(5000 + 100 b + i) + 3 j in training, then the first in\n"
             "/// evaluation; running: the mean [4] and variance [4] after each batch.\n")
    mean, variance = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    running = []
    for batch, training in [(0, True), (1, True), (2, True), (0, False)]:
        x = leaf(values([6, 4], 5000 + 100 * batch, 2) + 3 * torch.arange(4, dtype=torch.float64))
        gain, shift = leaf(values([4], 4000)), leaf(values([4], 4100))
        y = F.batch_norm(x, mean, variance, gain, shift, training=training, momentum=0.1)
        name = f"batch_norm_{batch}" if training else "batch_norm_eval"
        text += norm(name, y, x, gain, shift)
        running.append("    " + numbers(torch.cat([mean, variance])))
    return text + "inline constexpr double batch_norm_running[3][8] = {\n" + ",\n".join(running[:3]) + "};\n"


# Training steps of an MLP 6-8-5-3 with relu: weights [in, out] of value(6000 + 100 layer + i) / 2, biases
# of value(6500 + 100 layer + i) / 2, seven rows of value(7000 + i), classes (2 i + i / 3) % 3.


def mlp():
    sizes = [6, 8, 5, 3]
    weights, biases = [], []
    for layer, (fan_in, fan_out) in enumerate(zip(sizes, sizes[1:])):
        weights.append(leaf(values([fan_in, fan_out], 6000 + 100 * layer, 0.5).t().contiguous()))
        biases.append(leaf(values([fan_out], 6500 + 100 * layer, 0.5)))
    params = [p for pair in zip(weights, biases) for p in pair]
    optimizer = torch.optim.AdamW([{"params": weights, "weight_decay": 0.01}, {"params": biases, "weight_decay": 0.0}],
                                  lr=1e-2)
    x = values([7, 6], 7000)
    targets = torch.tensor([(2 * i + i // 3) % 3 for i in range(7)])

    def flat(tensors):
        return torch.cat([t.t().flatten() if t.dim() == 2 else t for t in tensors])

    all_losses, all_norms, text = [], [], ""
    for step in range(5):
        h = x
        for layer in range(3):
            h = F.linear(h, weights[layer], biases[layer])
            assert float(h.abs().min()) > 1e-4  # no gradient hangs on the rounding of a relu's input
            h = torch.relu(h) if layer < 2 else h
        loss = F.cross_entropy(h, targets)
        optimizer.zero_grad()
        loss.backward()
        all_losses.append(loss)
        if step == 0:
            text += array("mlp_gradients", flat([p.grad for p in params]))
        all_norms.append(torch.nn.utils.clip_grad_norm_(params, 1.0))
        optimizer.step()
        if step in (0, 4):
            text += array(f"mlp_params_{step + 1}", flat(params))
    assert float(all_norms[0]) > 1  # the first step is clipped
    comment = ("/// The loss and gradient norm of five steps of AdamW; gradients of the first, before it is clipped to\n"
               "/// norm 1; parameters after one step and after five, weights [in, out] each before its bias.\n")
    text = array("mlp_losses", torch.stack(all_losses)) + array("mlp_norms", torch.stack(all_norms)) + text
    return comment + text


def main():
    sections = [trajectories(), clips(), ops(), losses(), norms(), mlp()]
    header = (f"// Written by make_figures.py with PyTorch {torch.__version__} on {DATE}; do not edit.\n\n"
              "#pragma once\n\n// clang-format off\nnamespace reference {\n\n")
    path = pathlib.Path(__file__).with_name("figures.h")
    path.write_text(header + "\n".join(sections) + "\n}  // namespace reference\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
