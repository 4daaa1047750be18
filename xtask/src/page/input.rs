//! The reader's mouse and keyboard.

use serde_json::json;

use super::tab::Tab;

/// A place in the window.
type Point = [f64; 2];

/// A corner of the window where the page has nothing that listens.
const AWAY: Point = [1.0, 1.0];

impl Tab<'_> {
    /// Scrolls an element into the middle of the window, and returns its center.
    pub(super) fn reach(&mut self, selector: &str) -> Result<Point, String> {
        let node = format!("document.querySelector({})", json!(selector));
        self.evaluate(&format!(
            "{node}.scrollIntoView({{ behavior: 'instant', block: 'center' }})"
        ))?;
        // The page hears of it with the next frame.
        self.settle()?;
        let center = self.evaluate(&format!(
            "(() => {{
                const box = {node}.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"
        ))?;
        match (center[0].as_f64(), center[1].as_f64()) {
            (Some(x), Some(y)) => Ok([x, y]),
            _ => Err(format!("`{selector}` has no place in the window")),
        }
    }

    /// Moves the mouse with no button pressed.
    pub(super) fn point_at(&mut self, point: Point) -> Result<(), String> {
        self.mouse("mouseMoved", point, "none")
    }

    /// Moves the mouse to where it points at nothing, and waits until the page shows that.
    pub(super) fn point_away(&mut self) -> Result<(), String> {
        self.point_at(AWAY)?;
        self.settle()
    }

    /// Presses the left button, moves the mouse and releases the button.
    pub(super) fn drag(&mut self, from: Point, [across, down]: Point) -> Result<(), String> {
        const MOVES: u32 = 8;
        self.point_at(from)?;
        self.mouse("mousePressed", from, "left")?;
        let mut point = from;
        for part in 1..=MOVES {
            let share = f64::from(part) / f64::from(MOVES);
            point = [from[0] + share * across, from[1] + share * down];
            self.mouse("mouseMoved", point, "left")?;
        }
        self.mouse("mouseReleased", point, "left")
    }

    fn mouse(&mut self, kind: &str, [x, y]: Point, button: &str) -> Result<(), String> {
        let is_down = button == "left" && kind != "mouseReleased";
        let event = json!({
            "type": kind, "x": x, "y": y, "button": button, "buttons": u8::from(is_down), "clickCount": 1,
            "pointerType": "mouse",
        });
        self.call("Input.dispatchMouseEvent", event).map(drop)
    }

    /// Presses and releases a key.
    pub(super) fn press(&mut self, key: Key) -> Result<(), String> {
        let (name, code) = key.name_and_code();
        for kind in ["rawKeyDown", "keyUp"] {
            let event =
                json!({ "type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", event)?;
        }
        Ok(())
    }

    /// Goes with the key Tab from the start of the page to the first element that matches the selector. Returns whether
    /// that leads there.
    pub(super) fn tab_to(&mut self, selector: &str) -> Result<bool, String> {
        const MOST: usize = 200;
        self.evaluate(
            "(() => {
                const { body } = document;
                body.tabIndex = -1;
                body.focus();
                body.removeAttribute('tabindex');
            })()",
        )?;
        let has_focus = format!(
            "document.activeElement === document.querySelector({})",
            json!(selector)
        );
        for _ in 0..MOST {
            self.press(Key::Tab)?;
            if self.evaluate(&has_focus)? == true {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    Tab,
    Home,
    PageUp,
    Right,
}

impl Key {
    /// The name is also that of the place on the keyboard.
    fn name_and_code(self) -> (&'static str, u8) {
        match self {
            Self::Tab => ("Tab", 9),
            Self::Home => ("Home", 36),
            Self::PageUp => ("PageUp", 33),
            Self::Right => ("ArrowRight", 39),
        }
    }
}
