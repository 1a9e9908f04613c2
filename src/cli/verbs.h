#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>

#include "cli/console.h"
#include "cli/exit_code.h"

namespace portwright::cli {

/// Every verb: its name and what `portwright --help` says of it, in the order
/// shown there. A new verb is a line here and a file verb_<name>.cpp, which
/// defines `Run verb_<name>(CLI::App&, const Common&)`.
#define PW_VERBS(X)                                             \
  X(port, "port a model to mlx-lm and prove it")                \
  X(compile, "write the model file only")                       \
  X(verify, "prove a port against transformers")                \
  X(manifest, "write what a port is to be proven on, as YAML")  \
  X(run, "evaluate a model natively and write its logits")      \
  X(sweep, "try every model type and print a table")            \
  X(audit, "hold the models of an mlx-lm against transformers") \
  X(synth, "make a tiny random checkpoint of a model type")     \
  X(doctor, "check that everything portwright needs is there")  \
  X(completion, "print a completion script for a shell")

/// Does the work of a verb once its options are parsed.
using Run = std::function<ExitCode(Console&)>;

/// Declares a verb's options on its subcommand; they live in the returned Run.
/// `common` is filled when that is called.
using Declare = Run (*)(CLI::App& app, const Common& common);

struct Verb {
  const char* name;
  const char* summary;
  Declare declare;
};

std::span<const Verb> verbs();

#define X(name, summary) Run verb_##name(CLI::App& app, const Common& common);
PW_VERBS(X)
#undef X

}  // namespace portwright::cli
