/* What the server tells the page of itself. */

/**
 * @typedef {object} Settings
 * @property {string} prefix where the API is
 * @property {string[]} providers
 * @property {string | null} defaultProvider who answers messages that name none
 * @property {boolean} websocket whether there is one
 * @property {boolean} login whether one can log in and out
 */

/** @type {Settings} */
export const settings = JSON.parse(/** @type {HTMLMetaElement} */ (document.querySelector('meta[name=agent-runs]')).content)

/** The API's URL, without a slash at its end: beside the page, wherever a proxy may have put both. */
export const apiUrl = new URL(`.${settings.prefix}`, document.baseURI).href.replace(/\/$/, '')
