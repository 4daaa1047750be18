//! The pictures of the project's documentation, in `docs/images`.
//!
//! `NAME.json` has a figure and its drawing, `{"figure": …, "drawing": …}`. `NAME.svg` and `NAME-dark.svg` are drawn from it.
//! `cargo xtask figures` sets `BURNSCAPE_WRITE_FIGURES` and runs this test, which then writes what it otherwise compares.

use std::fs;
use std::path::{Path, PathBuf};

use burnscape_plot::{Drawing, Figure};
use serde::Deserialize;
use serde_json::json;

use crate::data::{bars, tree};
use crate::files::{folder, names};

#[test]
fn pictures_are_what_their_data_draw() {
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/images");
    let result = if std::env::var_os("BURNSCAPE_WRITE_FIGURES").is_some() {
        write(&images).map(|written| {
            for name in written {
                println!("written: docs/images/{name}");
            }
        })
    } else {
        compare(&images)
    };
    if let Err(findings) = result {
        panic!("in docs/images:\n{findings}");
    }
}

/// The content of a `.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    figure: Figure,
    drawing: Drawing,
}

/// A file of the folder, and what it should contain.
struct Picture {
    name: String,
    svg: String,
}

/// Writes the pictures that differ, and names them. If anything is wrong, writes none.
fn write(folder: &Path) -> Result<Vec<String>, String> {
    let mut written = vec![];
    for Picture { name, svg } in pictures(folder)? {
        let path = folder.join(&name);
        if fs::read_to_string(&path).ok().as_ref() != Some(&svg) {
            fs::write(&path, svg).map_err(|error| format!("{name}: {error}"))?;
            written.push(name);
        }
    }
    Ok(written)
}

/// An error with a line for each picture that differs.
fn compare(folder: &Path) -> Result<(), String> {
    let differences = pictures(folder)?
        .into_iter()
        .filter_map(|Picture { name, svg }| {
            let advice = "run `cargo xtask figures`";
            match fs::read_to_string(folder.join(&name)) {
                Ok(found) if found == svg => None,
                Ok(found) => Some(format!("{name}: {}; {advice}", difference(&found, &svg))),
                Err(error) => Some(format!("{name}: {error}; {advice}")),
            }
        });
    none(differences.collect())
}

fn none(findings: Vec<String>) -> Result<(), String> {
    if findings.is_empty() {
        Ok(())
    } else {
        Err(findings.join("\n"))
    }
}

/// Where two texts differ first. Not all machines round alike, so the place helps.
fn difference(found: &str, expected: &str) -> String {
    let same = found
        .bytes()
        .zip(expected.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let from = same.saturating_sub(20);
    let excerpt = |text: &str| {
        let bytes = &text.as_bytes()[from..text.len().min(same + 20)];
        String::from_utf8_lossy(bytes).into_owned()
    };
    format!(
        "has `{}` at byte {same}, where its data draw `{}`",
        excerpt(found),
        excerpt(expected)
    )
}

/// What the data of a folder draw, or a line for each file that is wrong.
fn pictures(folder: &Path) -> Result<Vec<Picture>, String> {
    let files = if folder.is_dir() {
        names(folder)
    } else {
        vec![]
    };
    let has_data = |picture: &str| {
        let name = picture.strip_suffix("-dark").unwrap_or(picture);
        files.contains(&format!("{name}.json"))
    };
    let mut pictures = vec![];
    let mut findings = vec![];
    for file in &files {
        if let Some(name) = file.strip_suffix(".json") {
            match pair(folder, name) {
                Ok(pair) => pictures.extend(pair),
                Err(problem) => findings.push(format!("{file}: {problem}")),
            }
        } else if file
            .strip_suffix(".svg")
            .is_some_and(|name| !has_data(name))
        {
            findings.push(format!(
                "{file}: no data draw it; delete it, or add its .json"
            ));
        }
    }
    none(findings).map(|()| pictures)
}

/// A picture in the light and one in the dark.
fn pair(folder: &Path, name: &str) -> Result<[Picture; 2], String> {
    if name.ends_with("-dark") {
        return Err("the name is that of a dark picture; choose another one".into());
    }
    let text = fs::read_to_string(folder.join(format!("{name}.json")));
    let text = text.map_err(|error| error.to_string())?;
    let data: Data = serde_json::from_str(&text).map_err(|error| {
        format!("no figure with its drawing, {{\"figure\": …, \"drawing\": …}}: {error}")
    })?;
    let picture = |end: &str, is_dark| {
        let drawing = data.drawing.clone().with_dark(is_dark);
        let svg = data
            .figure
            .to_svg(&drawing)
            .map_err(|error| error.to_string())?;
        let name = format!("{name}{end}.svg");
        Ok::<_, String>(Picture { name, svg })
    };
    Ok([picture("", false)?, picture("-dark", true)?])
}

/// A new folder with the data of two pictures.
fn images(name: &str) -> PathBuf {
    let images = folder(name);
    let figures = [
        ("bars", Figure::Bars(bars())),
        ("tree", Figure::MergeTree(tree())),
    ];
    for (name, figure) in figures {
        let drawing = Drawing::new(600, 400).with_title(name);
        let data = json!({ "figure": figure, "drawing": drawing });
        fs::write(images.join(format!("{name}.json")), data.to_string()).unwrap();
    }
    fs::write(images.join("screenshot.png"), "of another origin").unwrap();
    images
}

/// The first words of each line: `a.svg: has`.
fn beginnings(findings: Result<(), String>) -> Vec<String> {
    let findings = findings.unwrap_err();
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    findings.lines().map(words).collect()
}

#[test]
fn pictures_are_drawn_light_and_dark() {
    let images = images("committed");
    let all = ["bars.svg", "bars-dark.svg", "tree.svg", "tree-dark.svg"];
    assert_eq!(write(&images).unwrap(), all);
    compare(&images).unwrap();
    let light = fs::read_to_string(images.join("tree.svg")).unwrap();
    let drawing = Drawing::new(600, 400).with_title("tree");
    assert_eq!(light, Figure::MergeTree(tree()).to_svg(&drawing).unwrap());
    assert_ne!(
        light,
        fs::read_to_string(images.join("tree-dark.svg")).unwrap()
    );
    // Again, nothing is written.
    assert!(write(&images).unwrap().is_empty());
    fs::remove_dir_all(images).unwrap();
}

#[test]
fn a_picture_that_differs_is_found_and_mended() {
    let images = images("outdated");
    write(&images).unwrap();
    let path = images.join("bars.svg");
    let edited = fs::read_to_string(&path)
        .unwrap()
        .replacen("81.4", "80.4", 1);
    fs::write(&path, edited).unwrap();
    fs::write(images.join("bars-dark.svg"), "").unwrap();
    fs::remove_file(images.join("tree-dark.svg")).unwrap();
    let findings = compare(&images);
    assert!(
        findings.as_ref().is_err_and(|text| text.contains("80.4")),
        "{findings:?}"
    );
    assert_eq!(
        beginnings(findings),
        ["bars.svg: has", "bars-dark.svg: has", "tree-dark.svg: No"]
    );
    assert_eq!(
        write(&images).unwrap(),
        ["bars.svg", "bars-dark.svg", "tree-dark.svg"]
    );
    compare(&images).unwrap();
    fs::remove_dir_all(images).unwrap();
}

#[test]
fn wrong_files_are_found_and_nothing_is_written() {
    let images = images("wrong");
    let bars = fs::read_to_string(images.join("bars.json")).unwrap();
    for (name, text) in [
        ("a.json", "{"),
        ("b.json", r#"{"figure": {"bars": []}}"#),
        (
            "c.json",
            &bars.replacen("\"drawing\"", "\"note\": 1, \"drawing\"", 1),
        ),
        ("d.json", &bars.replacen("\"width\":600", "\"width\":6", 1)),
        ("e-dark.json", &bars),
        ("gone.svg", ""),
        ("gone-dark.svg", ""),
    ] {
        fs::write(images.join(name), text).unwrap();
    }
    let findings = write(&images).unwrap_err();
    let files = [
        "a.json",
        "b.json",
        "c.json",
        "d.json",
        "e-dark.json",
        "gone-dark.svg",
        "gone.svg",
    ];
    let lines: Vec<&str> = findings.lines().collect();
    assert_eq!(lines.len(), files.len(), "{findings}");
    for (line, file) in lines.iter().zip(files) {
        assert!(line.starts_with(&format!("{file}: ")), "{line}");
    }
    assert_eq!(compare(&images), Err(findings));
    assert!(!images.join("bars.svg").exists());
    fs::remove_dir_all(images).unwrap();
}

#[test]
fn a_folder_that_is_not_there_has_no_pictures() {
    let images = images("none");
    fs::remove_dir_all(&images).unwrap();
    compare(&images).unwrap();
    assert!(write(&images).unwrap().is_empty());
    assert!(!images.exists());
}
