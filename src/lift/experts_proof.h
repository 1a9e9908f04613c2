#pragma once

#include "lift/experts.h"
#include "lift/proof.h"

namespace portwright::lift {

/// The activation of one expert as recorded, on rows of gates and ups (R, I);
/// `up` is ignored where there is none.
mx::array activate(
    eval::Interpreter& interp,
    const Trace& trace,
    const Experts& experts,
    const mx::array& gate,
    const mx::array& up);

/// Names the activation and tells the gate from the up part, by numbers.
void name_activation(
    eval::Interpreter& interp,
    const Trace& trace,
    Experts& experts);

/// A parameter of a module, by its path below it.
mx::array parameter(
    eval::Interpreter& interp,
    const eval::Value& module,
    const std::string& name);

/// x (N, K, in) through the experts of index (N, K).
mx::array through(
    eval::Interpreter& interp,
    const eval::Value& module,
    const Experts::Product& product,
    const mx::array& x,
    const mx::array& index);

/// The stacked form on rows (N, H), choices and routing weights (N, K), or
/// (N, E) where they weigh all.
mx::array apply_experts(
    eval::Interpreter& interp,
    const Trace& trace,
    const Frame& frame,
    const Experts& experts,
    const mx::array& x,
    const mx::array& choice,
    const mx::array& weight);

/// Whether an index past the experts stands for the row itself.
bool passes_what_is_past(
    eval::Interpreter& interp,
    const Trace& trace,
    const Frame& frame,
    const Experts& e);

/// True when the module equals the stacked form on random parameters, inputs,
/// indices and routing weights.
bool agrees(
    eval::Interpreter& interp,
    const Trace& trace,
    const Frame& frame,
    const Experts& experts);

}  // namespace portwright::lift
