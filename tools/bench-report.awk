# The part of tools/bench-report.sh that reckons. Main input: tests/bench/targets. Variables: image (bytes), machine,
# figures, peers, expected (files to read), json, svg (files to write), tick (what a unit of time is called).

function set_figure(name, value) {
    least[name] = median[name] = most[name] = value
    has[name] = 1
}

function read_figures(file,    field) {
    while ((getline line < file) > 0) {
        split(line, field, " ")
        if (field[2] == "absent") {
            reason[field[1]] = substr(line, length(field[1]) + 9)
            continue
        }
        least[field[1]] = field[2]; median[field[1]] = field[3]; most[field[1]] = field[4]
        has[field[1]] = 1
    }
    close(file)
}

# What a kind of exit costs, by the case that is most like it.
function cost(kind) {
    if (kind == "hypercall") return median["hypercall"]
    if (kind == "port") return (median["pio_uart_status"] + median["pio_uart_character"]) / 2
    if (kind == "msr_read") return median["rdmsr"]
    if (kind == "msr_write") return median["wrmsr"]
    if (kind == "memory") return median["mmio_ioapic"]
    return median["cpuid_features"]
}

# Exits of each kind times what one costs; the exit itself costs nothing in this emulator.
function linux_figures(    name, kind, ticks) {
    if (!has["linux_ticks"] || !has["cpuid_features"])
        return
    for (name in has) {
        if (name !~ /^linux_exits_/ || name == "linux_exits_all_exits")
            continue
        kind = substr(name, 13)
        ticks += median[name] * cost(kind)
    }
    set_figure("linux_boot_share", sprintf("%.3f", 100 * ticks / median["linux_ticks"]))
    if (has["linux_bare_ticks"])
        set_figure("linux_boot_ratio", sprintf("%.4f", median["linux_ticks"] / median["linux_bare_ticks"]))
}

# Met, or by how much not.
function verdict(name) {
    if (target[name] == "-") return ""
    if (!has[name]) return "not measured"
    if (median[name] + 0 <= target[name] + 0) return "met"
    if (target[name] + 0 == 0) return "missed by " median[name]
    return sprintf("missed by %.1f %%", 100 * (median[name] / target[name] - 1))
}

function ratio(name) { return ((name in peer) && median[name] > 0) ? sprintf("%.1f", peer[name] / median[name]) : "" }

function table_row(name) {
    if (!has[name]) {
        if (target[name] == "-" && !(name in reason) && !(name in peer)) return
        printf "%-46s %12s %12s %12s %-10s %9s  %-18s %8s %7s\n", text[name], "-", "-", "-", unit[name], target[name], \
            (name in reason) ? "absent" : "not measured", (name in peer) ? peer[name] : "", ""
        if (name in reason) printf "    %s\n", reason[name]
        return
    }
    printf "%-46s %12s %12s %12s %-10s %9s  %-18s %8s %7s\n", text[name], least[name], median[name], most[name], \
        unit[name], target[name], verdict(name), (name in peer) ? peer[name] : "", \
        ratio(name)
}

function number_or_null(value) { return value == "" || value == "-" ? "null" : value + 0 }

function quote(s) {
    gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s)
    return "\"" s "\""
}

function write_json(    i, name, separator) {
    printf "{\"machine\": %s,\n \"peer\": %s,\n \"cases\": [\n", quote(machine), has_peer ? quote("KVM") : "null" > json
    for (i = 1; i <= count; i++) {
        name = names[i]
        if (!has[name] && !(name in peer) && target[name] == "-") continue
        printf "%s  {\"name\": %s, \"unit\": %s, \"min\": %s, \"median\": %s, \"max\": %s, \"target\": %s, \"peer\": %s}", \
            separator, quote(name), quote(unit[name]), number_or_null(least[name]), number_or_null(median[name]), \
            number_or_null(most[name]), number_or_null(target[name]), number_or_null(peer[name]) > json
        separator = ",\n"
    }
    print "\n ]}" > json
    close(json)
}

# Bars on a scale where each step is ten times the last: from 1 to 100,000 ticks.
function position(ticks) { return 330 + 118 * (ticks > 1 ? log(ticks) / log(10) : 0) }

function escape(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); gsub(/>/, "\\&gt;", s); return s }

function svg_text(x, y, class, s) { printf "<text x=\"%d\" y=\"%d\" class=\"%s\">%s</text>\n", x, y, class, escape(s) > svg }

function svg_bar(y, height, ticks, class) {
    printf "<rect x=\"330\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"%s\"/>\n", y, position(ticks) - 330 + 2, \
        height, class > svg
}

function is_bar(name) { return unit[name] == tick && name !~ /^(first_guest|restart)_ticks$/ && (has[name] || name in peer) }

function svg_case(name, y,    right) {
    svg_text(320, y + 13, "name", text[name])
    if (has[name]) {
        svg_bar(y + 2, 8, median[name], verdict(name) ~ /missed/ ? "missed" : "ours")
        right = position(median[name])
        if (target[name] != "-" && position(target[name]) > right && position(target[name]) < right + 40)
            right = position(target[name])
        svg_text(right + 8, y + 10, "value", median[name])
    }
    if (name in peer) {
        svg_bar(y + 11, 6, peer[name], "peer")
        svg_text(position(peer[name]) + 8, y + 18, "value", peer[name])
    }
    if (target[name] != "-")
        printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" class=\"target\"/>\n", position(target[name]), \
            position(target[name]), y, y + 18 > svg
}

function svg_promise(name, y,    met) {
    met = verdict(name)
    svg_text(320, y + 12, "name", text[name])
    svg_text(330, y + 12, met == "met" ? "good" : "bad", \
        (has[name] ? median[name] : "-") " of " target[name] " " unit[name] ": " met)
}

function write_svg(    i, y, rows, decade, name) {
    for (i = 1; i <= count; i++)
        if (is_bar(names[i]) || target[names[i]] != "-") rows++
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\" height=\"%d\" font-family=\"sans-serif\">\n", \
        130 + rows * 22 > svg
    print "<style>text{font-size:11px;fill:#222}.name{text-anchor:end}.title{font-size:17px}.value{font-size:10px}" \
        ".ours,.good{fill:#2a7a3b}.missed,.bad{fill:#b3261e}.peer{fill:#9aa0a6}.target{stroke:#111;stroke-width:2}" \
        ".grid{stroke:#ddd}.axis{text-anchor:middle;fill:#666}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>" > svg
    svg_text(20, 28, "title", "Ringfence: what a guest pays, in " tick (has_peer ? ", beside KVM" : ""))
    svg_text(20, 48, "value", machine ". Shorter is better; each step of the scale is ten times the last.")
    svg_text(20, 64, "value", "Green: Ringfence. Red: Ringfence, over its target. Black stroke: the target." \
        (has_peer ? " Grey: KVM on the same machine with the same guest." : ""))
    y = 92
    for (i = 1; i <= count; i++)
        if (is_bar(names[i])) rows_ticks++
    for (decade = 0; decade <= 5; decade++) {
        printf "<line x1=\"%d\" x2=\"%d\" y1=\"86\" y2=\"%d\" class=\"grid\"/>\n", 330 + 118 * decade, 330 + 118 * decade, \
            92 + rows_ticks * 22 > svg
        svg_text(330 + 118 * decade, 82, "axis", 10 ^ decade)
    }
    for (i = 1; i <= count; i++)
        if (is_bar(names[i])) { svg_case(names[i], y); y += 22 }
    y += 10
    for (i = 1; i <= count; i++)
        if (!is_bar(names[i]) && target[names[i]] != "-") { svg_promise(names[i], y); y += 22 }
    print "</svg>" > svg
    close(svg)
}

function stages(    line, field, text) {
    while ((getline line < figures) > 0)
        if (line ~ /^stage_/) {
            split(line, field, " ")
            text = text (text == "" ? "" : ", ") substr(field[1], 7) " " field[3]
        }
    close(figures)
    if (text != "") print tick " from the multiboot2 entry to the end of each stage: " text
}

function compare(    line, field, worse) {
    while ((getline line < expected) > 0) {
        split(line, field, " ")
        if (line ~ /^#/ || line == "") continue
        if (!has[field[1]] || median[field[1]] * 100 <= field[2] * 105) continue
        printf "bench: %s takes %d ticks, expected %d, at most 5 %% more\n", field[1], median[field[1]], field[2]
        worse = 1
    }
    return worse
}

BEGIN {
    read_figures(peers)
    for (name in has) { peer[name] = median[name]; has_peer = 1 }
    split("", has); split("", reason); split("", least); split("", median); split("", most)
    read_figures(figures)
    set_figure("image_bytes", image)
    linux_figures()
    # KVM's local APIC is always emulated: its plain cases stand beside our virtual ones too.
    for (name in peer) if (!((name "_virtual") in peer)) virtual_peer[name "_virtual"] = peer[name]
    for (name in virtual_peer) peer[name] = virtual_peer[name]
    if (has["timer_virtual"] == 0 && ("timer_virtual" in reason) == 0) reason["timer_virtual"] = "the case did not run"
}

/^#/ || NF == 0 { next }

{
    name = $1
    names[++count] = name; target[name] = $2; unit[name] = $3
    gsub(/_/, " ", unit[name])
    # What is promised in instructions is no promise in cycles.
    if (sub(/^ticks$/, tick, unit[name]) && tick != "ticks") target[name] = "-"
    $1 = $2 = $3 = ""
    sub(/^ +/, "")
    text[name] = $0
}

END {
    print machine
    printf "%-46s %12s %12s %12s %-10s %9s  %-18s %8s %7s\n", "case", "min", "median", "max", "unit", "target", "", \
        has_peer ? "KVM" : "", has_peer ? "ratio" : ""
    for (i = 1; i <= count; i++) {
        table_row(names[i])
        if (target[names[i]] != "-") { promises++; if (verdict(names[i]) == "met") kept++ }
    }
    print ""
    stages()
    printf "%d of %d promises are met\n", kept, promises
    write_json()
    write_svg()
    if (compare()) exit 1
}
