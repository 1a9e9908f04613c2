#include "trace/explain.h"

namespace portwright::trace {
namespace {

std::string type_of(const ValueInfo& info) {
  return fmt::format(
      "{}[{}]", torch::name(info.dtype), fmt::join(info.shape, ","));
}

class Explainer {
 public:
  explicit Explainer(const Trace& trace) : trace_(trace) {}

  /// What a call does itself and in plain functions that it calls.
  void inside(const Frame& frame) {
    for (const Item& item : frame.items) {
      if (const auto* op = std::get_if<OpNode>(&item)) {
        add(*op);
      } else if (const auto* branch = std::get_if<Branch>(&item)) {
        add(*branch);
      } else {
        const Frame& called = *std::get<std::unique_ptr<Frame>>(item);
        if (called.is_module()) {
          add_call(called);
        } else {
          inside(called);
        }
      }
    }
  }

  /// Operations of `frame` and below that read a value of `ids`.
  void readers(const Frame& frame, const std::vector<ValueId>& ids) {
    for (const Item& item : frame.items) {
      if (const auto* op = std::get_if<OpNode>(&item)) {
        const bool reads =
            std::any_of(op->inputs.begin(), op->inputs.end(), [&](ValueId id) {
              return std::find(ids.begin(), ids.end(), id) != ids.end();
            });
        if (reads) {
          add(*op);
        }
      } else if (const auto* f = std::get_if<std::unique_ptr<Frame>>(&item)) {
        readers(**f, ids);
      }
    }
  }

  std::vector<ExplainedLine> lines;

 private:
  ExplainedLine* at(const base::Span& span) {
    if (!span) {
      return nullptr;
    }
    const uint32_t line = span.file->position(span.begin).line;
    for (ExplainedLine& known : lines) {
      if (known.line == line && known.file == span.file->path()) {
        return &known;
      }
    }
    std::string text(span.file->line(line));
    text.erase(0, text.find_first_not_of(" \t"));
    lines.push_back({span.file->path(), line, text, {}, {}});
    return &lines.back();
  }

  void add(const OpNode& op) {
    ExplainedLine* line = at(op.span);
    for (ValueId id : op.outputs) {
      const ValueInfo& info = trace_.info(id);
      if (line && !info.names.empty()) {
        line->made.push_back(type_of(info) + " " + info.names.front().str());
      }
    }
  }

  void add(const Branch& branch) {
    if (ExplainedLine* line = branch.condition ? at(branch.span) : nullptr) {
      line->decided.push_back(
          eval::to_string(branch.condition) +
          (branch.outcome ? " is true" : " is false"));
    }
  }

  void add_call(const Frame& called) {
    if (ExplainedLine* line = at(called.call)) {
      std::string text = called.path;
      for (ValueId id : called.outputs) {
        text += " " + type_of(trace_.info(id));
      }
      line->made.push_back(text);
    }
  }

  const Trace& trace_;
};

const Frame* find(const Frame& frame, const std::string& path) {
  if (frame.is_module() && frame.path == path) {
    return &frame;
  }
  for (const Item& item : frame.items) {
    if (const auto* inner = std::get_if<std::unique_ptr<Frame>>(&item)) {
      if (const Frame* found = find(**inner, path)) {
        return found;
      }
    }
  }
  return nullptr;
}

}  // namespace

std::optional<std::vector<ExplainedLine>> explain(
    const Trace& trace,
    const std::string& name) {
  Explainer explainer(trace);
  if (const Frame* frame = find(trace.root, name)) {
    explainer.inside(*frame);
    return explainer.lines;
  }
  std::vector<ValueId> ids;
  for (ValueId id = 1; id < trace.values.size(); ++id) {
    if (trace.values[id].parameter == name) {
      ids.push_back(id);
    }
  }
  if (ids.empty()) {
    return std::nullopt;
  }
  explainer.readers(trace.root, ids);
  return explainer.lines;
}

std::string to_text(const std::vector<ExplainedLine>& lines) {
  std::string out;
  const std::string* file = nullptr;
  for (const ExplainedLine& line : lines) {
    if (!file || *file != line.file) {
      out += line.file + "\n";
    }
    file = &line.file;
    out += fmt::format("{:6} | {}\n", line.line, line.text);
    for (const auto& notes : {line.made, line.decided}) {
      for (const std::string& note : notes) {
        out += "       |   " + note + "\n";
      }
    }
  }
  return out;
}

}  // namespace portwright::trace
