#pragma once

#include <string>

#include "verify/results.h"
#include "verify/session.h"

namespace portwright::verify {

/// Layer and module of a path of the port's modules, with the lines of both
/// sides that say what it is: its forward, the line that makes it, the class of
/// the source's module at `reference_path`.
Place place_at(
    Session& session,
    const std::string& path,
    const std::string& reference_path);

/// The same for a module with one path on both sides.
Place place_at(Session& session, const std::string& path);

/// A module where the source has a function, inside its module at
/// `reference_path`: of one of the library's the line of that call (from 1),
/// and the one that makes it.
Place place_of_call(
    Session& session,
    const std::string& path,
    const std::string& reference_path,
    int call);

/// What a module is given: the line that calls it, in whoever does.
Place place_of_input(Session& session, std::string path);

/// What the model does after the last of its modules.
Place place_of_logits(Session& session);

/// Layer and module of a path alone, without lines.
Place in_layer(const Session& session, const std::string& path);

/// Names `tensor`, its layer and module, and the line of `sanitize`.
Place place_of_weight(Session& session, const std::string& tensor);

/// The line of the source that the place's line of the port stands for, where
/// the port has a map of them.
void name_source_line(const Session& session, Place& place);

/// The last line of the port that a traceback names, and the one that called
/// it.
Place place_of_traceback(Session& session, const std::string& traceback);

/// The line that makes the module at `path`, of which the checkpoint has no
/// tensor; where the source has the module that holds it, the line that makes
/// that one too.
Place place_of_stray_module(Session& session, const std::string& path);

/// The line of the port's config class that takes a field, or declares it;
/// nothing where none does.
std::optional<int> line_of_field(Session& session, const std::string& field);

/// The first line at or after `from` that holds `text`, from 1; nothing when
/// the file has none.
std::optional<int>
line_with(const std::string& file, const std::string& text, int from);

/// The part of a path before its last dot.
std::string parent_path(const std::string& path);

}  // namespace portwright::verify
