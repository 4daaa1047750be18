//! The page itself: everything is in it, nothing twice, and bad numbers do no harm.

use burnscape::landscape::LossScale;
use burnscape::plot::PlotError;
use burnscape::report::ReportBuilder;

use super::models::{Page, bowl, double_well, profile, projection, trace};
use super::panels::full;

#[test]
fn a_page_has_everything_once() {
    let report = full();
    let html = report.to_html().unwrap();
    let page = Page::of(&report);
    let count = |text: &str| html.matches(text).count();
    assert_eq!(count("<section class=\"panel\" id=\"panel-"), 9);
    assert_eq!(page.sentences().len(), 3);
    for sentence in page.sentences() {
        assert_eq!(count(sentence), 1, "{sentence}");
    }
    for panel in page.panels() {
        for part in ["caption", "cannot_tell"] {
            let text = panel[part].as_str().unwrap();
            assert_eq!(count(&format!(">{text}<")), 1, "{text}");
        }
    }
    for (question, answer) in page.answers() {
        assert_eq!(count(question), 1, "{question}");
        assert!(count(answer) >= 1, "{answer}");
    }
    assert_eq!(count(">48,938 parameters<"), 1);
    assert_eq!(count("download=\"surface.csv\""), 1);
    assert_eq!(count("download=\"profile.json\""), 1);
    assert!(html.len() < 400_000, "{}", html.len());
}

#[test]
fn two_landscapes_share_one_scale() {
    let html = full().to_html().unwrap();
    // One panel, whose script takes the scale from all of its views.
    assert_eq!(html.matches("data-kind=\"landscapes\"").count(), 1);
    assert_eq!(html.matches("\"kind\":\"landscapes\"").count(), 1);
    assert_eq!(html.matches("\"name\":\"SGD\",\"labels\"").count(), 1);
    assert_eq!(html.matches("\"name\":\"SAM\",\"labels\"").count(), 1);
}

#[test]
fn nan_everywhere_is_said_and_not_drawn() {
    let mut landscape = bowl();
    landscape.losses.fill(f64::NAN);
    let mut path = profile();
    path.train.values.fill(f64::NAN);
    let report = ReportBuilder::new("Diverged")
        .with_landscape("SGD", &landscape, LossScale::Log10)
        .unwrap()
        .with_projection("SGD", &projection())
        .with_losses("train", &[0.0, 1.0], &[f64::NAN, f64::NAN])
        .with_path("line", &path)
        .with_sharpness("SGD", &trace(Some(f64::NAN), Some(f64::NAN)))
        .build();
    let page = Page::of(&report);
    assert_eq!(
        page.titles(),
        ["How much to trust the pictures", "Sharpness"]
    );
    assert!(page.sentences().is_empty());
    assert_eq!(
        page.answer("What is not drawn?"),
        "the landscape “SGD”: its loss is finite nowhere; the losses “train”: none is finite; the path “line”: its loss \
         is finite nowhere; the training run on “SGD”: there is no such picture."
    );
    assert!(report.to_html().unwrap().contains("not a number"));
}

#[test]
fn some_numbers_that_are_not_finite_do_no_harm() {
    let mut landscape = double_well();
    for index in (0..landscape.losses.len()).step_by(7) {
        landscape.losses[index] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][index % 3];
    }
    let mut projection = projection();
    projection.points[0].loss = f64::NAN;
    projection.points[1].plane_loss = f64::INFINITY;
    let report = ReportBuilder::new("Odd")
        .with_landscape("SGD", &landscape, LossScale::Linear)
        .unwrap()
        .with_projection("SGD", &projection)
        .with_losses("train", &[0.0, 1.0], &[f64::INFINITY, 1.0])
        .build();
    assert!(report.to_html().unwrap().contains("a number everywhere?"));
}

#[test]
fn lists_of_different_lengths_are_refused() {
    let losses = ReportBuilder::new("Page").with_losses("train", &[0.0, 1.0], &[1.0]);
    let refused = losses.build().to_html();
    assert!(matches!(
        refused,
        Err(PlotError::Lengths {
            expected: 2,
            found: 1,
            ..
        })
    ));
    let rows = vec![vec!["1".to_string()]];
    let table = ReportBuilder::new("Page").with_table("a", "b", "c", &["x", "y"], rows);
    let refused = table.build().to_html();
    assert!(matches!(
        refused,
        Err(PlotError::Lengths {
            expected: 2,
            found: 1,
            ..
        })
    ));
}

#[test]
fn hostile_names_stay_text() {
    let name = format!("</script><b>\"{}", "long ".repeat(2_000));
    let report = ReportBuilder::new(&name)
        .with_landscape(&name, &double_well(), LossScale::Linear)
        .unwrap()
        .with_landscape("SAM", &bowl(), LossScale::Linear)
        .unwrap()
        .with_projection(&name, &projection())
        .with_path(&name, &profile())
        .with_sharpness(&name, &trace(Some(1.0), None))
        .build();
    let html = report.to_html().unwrap();
    let usual = full().to_html().unwrap();
    for text in ["</script>", "<b>"] {
        let [found, expected] = [&html, &usual].map(|html| html.matches(text).count());
        assert_eq!(found, expected, "{text}");
    }
    let page = Page::of(&report);
    assert!(page.sentences().iter().all(|sentence| sentence.len() < 400));
}

#[test]
fn a_page_is_there_as_a_whole_or_not_at_all() {
    let folder = std::env::temp_dir().join(format!("burnscape-page-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    let path = folder.join("page.html");
    let refused = full().write_html(&path).unwrap_err();
    assert!(matches!(refused, PlotError::File { .. }));
    assert!(matches!(
        burnscape::Error::from(refused),
        burnscape::Error::Plot(_)
    ));
    std::fs::create_dir_all(&folder).unwrap();
    full().write_html(&path).unwrap();
    let files = std::fs::read_dir(&folder).unwrap().count();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(files, 1);
    assert_eq!(text, full().to_html().unwrap());
}
