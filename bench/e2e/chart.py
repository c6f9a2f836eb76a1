"""The stream bench's ratios as a bar chart in SVG, without a drawing library."""

BAR, GAP, LEFT, WIDTH, TOP = 16, 12, 330, 300, 44
SHADES = {"stream": ("streaming", "#2a9d8f"), "ahead": ("reading ahead", "#1d6f66")}


def draw(results, path):
    longest = max(r["median"] for result in results for r in result["ratios"].values())
    scale = WIDTH / max(longest, 2)
    parts, y = [], TOP
    for result in results:
        parts.append(f'<text x="{LEFT - 10}" y="{y + BAR + 4}" text-anchor="end">{result["title"]}</text>')
        for name, ratio in result["ratios"].items():
            width = ratio["median"] * scale
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.0f}" height="{BAR}" fill="{SHADES[name][1]}"/>'
                         f'<text x="{LEFT + width + 6:.0f}" y="{y + BAR - 4}">{ratio["median"]:.2f}</text>')
            y += BAR
        y += GAP
    one = LEFT + scale
    legend = "".join(f'<rect x="{LEFT + i * 130}" y="22" width="12" height="12" fill="{colour}"/>'
                     f'<text x="{LEFT + i * 130 + 18}" y="33">{label}</text>'
                     for i, (label, colour) in enumerate(SHADES.values()))
    with open(path, "w") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 70}" height="{y + 8}"'
                  ' font-family="sans-serif" font-size="13" fill="#333">'
                  '<rect width="100%" height="100%" fill="white"/>'
                  '<text x="10" y="16" font-weight="bold">Times as fast as PostgreSQL\'s own subscription</text>'
                  f'{legend}{"".join(parts)}'
                  f'<line x1="{one:.0f}" y1="{TOP - 4}" x2="{one:.0f}" y2="{y - GAP + 4}" stroke="#c33"/></svg>\n')
